// How fast it goes, over the last seconds, and how long the rest will take.

const WINDOW_S = 15;

export class Speed {
  /** @type {{ second: number, bytes: number }[]} */
  #marks = [];

  /** Bytes that have gone out so far, at a time in seconds. */
  note(second, bytes) {
    const last = this.#marks[this.#marks.length - 1];
    if (last && second - last.second < 0.25) return;
    this.#marks.push({ second, bytes });
    while (this.#marks.length > 2 && second - this.#marks[1].second >= WINDOW_S) this.#marks.shift();
  }

  /** After a pause the time that nothing was sent does not count. */
  forget() {
    this.#marks = [];
  }

  /** Bytes a second; 0 while it cannot be said. */
  get rate() {
    const [first, last] = [this.#marks[0], this.#marks[this.#marks.length - 1]];
    if (!first || last.second - first.second < 1) return 0;
    return Math.max(0, (last.bytes - first.bytes) / (last.second - first.second));
  }

  /** @param {number} bytes what is left @returns {string} "" while it cannot be said */
  left(bytes) {
    return this.rate > 0 && bytes > 0 ? `about ${duration(bytes / this.rate)} left` : "";
  }
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {number} bytes */
export function megabytes(bytes) {
  if (bytes < 1e5) return `${Math.ceil(bytes / 1e3)} kB`;
  if (bytes >= 1e10) return `${(bytes / 1e9).toFixed(1)} GB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
