// Slices of a series: fetched in the order in which they will be needed, kept up to a cap, dropped on leave.

/** @typedef {{ pixels: Int16Array, rows: number, columns: number }} Slice */

const AT_ONCE = 4;
const TRIES = 3;
const MIB = 1 << 20;

/** How much memory slices may take: less on a phone, where a page that takes too much is killed. */
export function memoryCap() {
  const gigabytes = /** @type {any} */ (navigator).deviceMemory ?? 4;
  const small = window.matchMedia("(max-width: 760px)").matches;
  return (small ? 96 : gigabytes <= 4 ? 256 : 512) * MIB;
}

/** The order of loading: where one looks, both ends and the middle, then the neighbours outward. */
export function order(count, here) {
  const first = [here, 0, Math.floor(count / 2), count - 1];
  const outward = Array.from({ length: count }, (_, i) => here + (i % 2 ? (i + 1) / 2 : -i / 2));
  return [...new Set([...first, ...outward, ...Array.from({ length: count }, (_, i) => i)])].filter((k) => k >= 0 && k < count);
}

export class SliceStore {
  /**
   * @param {{ slices: string, count: number, volume: string }} series
   * @param {(index: number, slice: Slice) => void} arrived
   * @param {(message: string) => void} failed
   */
  constructor(series, arrived, failed) {
    this.series = series;
    this.arrived = arrived;
    this.failed = failed;
    this.cap = memoryCap();
    /** @type {Map<number, Slice>} */
    this.kept = new Map();
    /** @type {Map<number, AbortController>} */
    this.running = new Map();
    this.tries = new Map();
    this.here = 0;
    this.full = false;
    this.closed = false;
    this.queue = order(series.count, 0);
  }

  /** @param {number} index @returns {Slice | undefined} */
  get(index) {
    return this.kept.get(index);
  }

  /** Says where one looks: what is near is fetched first; what is far away waits. @param {number} index */
  lookAt(index) {
    this.here = index;
    this.full = false;
    if (!this.kept.has(index)) {
      this.makeRoomFor(index);
      this.queue = order(this.series.count, index);
    }
    this.pump();
  }

  /** The slice that is looked at must not wait behind neighbours. */
  makeRoomFor(index) {
    if (this.running.has(index) || this.running.size < AT_ONCE) return;
    const far = [...this.running.keys()].sort((a, b) => Math.abs(b - index) - Math.abs(a - index))[0];
    this.running.get(far)?.abort();
    this.running.delete(far);
  }

  pump() {
    while (!this.closed && this.running.size < AT_ONCE) {
      const next = this.next();
      if (next === undefined) return;
      this.fetch(next);
    }
  }

  next() {
    const urgent = this.here;
    if (!this.kept.has(urgent) && !this.running.has(urgent) && this.mayTry(urgent)) return urgent;
    if (this.full) return undefined;
    while (this.queue.length > 0) {
      const index = this.queue.shift();
      if (!this.kept.has(index) && !this.running.has(index) && this.mayTry(index)) return index;
    }
    return undefined;
  }

  mayTry(index) {
    return (this.tries.get(index) ?? 0) < TRIES;
  }

  async fetch(index) {
    const control = new AbortController();
    this.running.set(index, control);
    try {
      const slice = await fetchSlice(this.series, index, control.signal);
      this.keep(index, slice);
      this.arrived(index, slice);
    } catch (error) {
      if (!control.signal.aborted) this.note(index, error);
    } finally {
      if (this.running.get(index) === control) this.running.delete(index);
      this.pump();
    }
  }

  note(index, error) {
    this.tries.set(index, (this.tries.get(index) ?? 0) + 1);
    if (!this.mayTry(index)) this.failed(`Slice ${index + 1}: ${error.message}`);
    else this.queue.push(index);
  }

  /** Keeps a slice; beyond the cap the one farthest from where one looks goes. */
  keep(index, slice) {
    this.kept.set(index, slice);
    const most = Math.max(8, Math.floor(this.cap / slice.pixels.byteLength));
    if (this.kept.size <= most) return;
    const far = [...this.kept.keys()].reduce((a, b) => (Math.abs(b - this.here) > Math.abs(a - this.here) ? b : a));
    this.kept.delete(far);
    this.full = true;
  }

  close() {
    this.closed = true;
    this.running.forEach((control) => control.abort());
    this.kept.clear();
  }
}

/** One slice; the browser has inflated it already. @returns {Promise<Slice>} */
async function fetchSlice(series, index, signal) {
  const query = series.volume ? `?volume=${series.volume}` : "";
  const answer = await fetch(`${series.slices}${index}/${query}`, { signal, credentials: "same-origin" });
  if (answer.redirected) throw new Error("You are signed out; reload the page.");
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? `error ${answer.status}`);
  const bytes = await answer.arrayBuffer();
  const rows = Number(answer.headers.get("X-Rows"));
  const columns = Number(answer.headers.get("X-Columns"));
  if (bytes.byteLength !== rows * columns * 2) throw new Error("came incomplete.");
  return { pixels: new Int16Array(bytes), rows, columns };
}
