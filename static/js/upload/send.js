// Sending in batches, three at a time; it can be paused, and goes on by itself after a lost network.
import { unknown } from "./known.js";

/** @typedef {{ file: File, path: string, state: string, sent: number, sentence: string, sha256?: string }} Item */
/** @typedef {{ name: string, outcome: string, code: string, sentence: string, study_instance_uid: string | null, study_url: string | null }} Line */
/** @typedef {{ endpoint: string, known: string, site: string, token: string }} Road */
/** @typedef {{ changed: () => void, answered: (batch: Item[], lines: Line[]) => void, stored: (item: Item, line: object) => void, trouble: (sentence: string) => void, halted: (sentence: string) => void }} Hooks */

const MOST_FILES = 25;
const MOST_BYTES = 15 * 1024 * 1024;
const AT_ONCE = 3;
const LOOK_AHEAD = 100;
const TRIES = 4;
const LONGEST_PAUSE_S = 30;
const SILENCE_MS = 120_000;

/** Groups that one request carries. @param {Item[]} items @returns {Item[][]} */
export function batches(items) {
  /** @type {Item[][]} */
  const groups = [];
  let bytes = Infinity;
  for (const item of items) {
    if (bytes + item.file.size > MOST_BYTES || groups[groups.length - 1].length >= MOST_FILES) {
      groups.push([]);
      bytes = 0;
    }
    groups[groups.length - 1].push(item);
    bytes += item.file.size;
  }
  return groups;
}

/** Seconds before another try: 1, 2, 4, … at most 30; as long as the portal asks for, if it does. */
export function pause(attempt, asked) {
  return asked > 0 ? Math.min(asked, 300) : Math.min(2 ** (attempt - 1), LONGEST_PAUSE_S);
}

/** All files of a page on their way; one for as long as the page lives. */
export class Transfer {
  /** @type {Item[]} */ #waiting = [];
  /** @type {Item[][]} */ #ready = [];
  /** @type {Promise<unknown>} */ #turn = Promise.resolve();
  #workers = 0;
  #under_way = 0;
  #halt = new AbortController();

  /** @param {() => Road} road @param {Hooks} hooks */
  constructor(road, hooks) {
    this.road = road;
    this.hooks = hooks;
    this.paused = false;
  }

  /** Whether there is something left to send, paused or not. */
  get unfinished() {
    return this.#waiting.length + this.#ready.length + this.#under_way > 0;
  }

  /** @param {Item[]} items */
  add(items) {
    for (const item of items) this.#waiting.push(Object.assign(item, { state: "waiting", sent: 0, sentence: "" }));
    if (!this.paused) this.#go();
  }

  /** Requests under way are broken off: what the portal has of them it does not take twice. */
  pause() {
    this.paused = true;
    this.#halt.abort();
  }

  resume() {
    this.paused = false;
    this.#halt = new AbortController();
    this.#go();
  }

  #go() {
    while (this.#workers < AT_ONCE) {
      this.#workers += 1;
      this.#work().finally(() => {
        this.#workers -= 1;
        this.hooks.changed();
        // It was paused and went on before this worker had ended.
        if (!this.paused && this.#workers === 0 && this.unfinished) this.#go();
      });
    }
  }

  async #work() {
    while (!this.paused) {
      const batch = await this.#next();
      if (!batch) return;
      await this.#deliver(batch);
      this.#under_way -= batch.length;
    }
  }

  /** The next batch, already counted as under way; workers ask one after the other. */
  #next() {
    const mine = this.#turn.then(() => this.#take());
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #take() {
    while (this.#ready.length === 0 && this.#waiting.length > 0 && !this.paused) {
      const some = this.#waiting.splice(0, LOOK_AHEAD);
      this.#under_way += some.length;
      const fresh = await unknown(some, this.road(), this.hooks.stored);
      this.#under_way -= some.length;
      this.#ready.push(...batches(fresh));
      this.hooks.changed();
    }
    if (this.paused) return undefined;
    const batch = this.#ready.shift();
    this.#under_way += batch?.length ?? 0;
    return batch;
  }

  /** Sends a batch until it is answered; it is put back where that must wait for a person. @param {Item[]} batch */
  async #deliver(batch) {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await post(batch, this.road(), this.hooks.changed, this.#halt.signal);
      if (answer.lines) {
        this.hooks.trouble("");
        this.hooks.answered(batch, answer.lines);
        return;
      }
      if (this.paused || answer.halt) {
        this.#putBack([batch], answer.halt ?? "");
        return;
      }
      if (answer.split && batch.length > 1) {
        this.#putBack(batch.map((item) => [item]), "");
        return;
      }
      if (answer.lost) {
        batch = await this.#stillThere(batch);
        if (batch.length === 0) return;
      }
      if (!answer.lost && (!answer.again || attempt >= TRIES)) {
        mark(batch, "failed", answer.sentence);
        return;
      }
      await this.#rest(batch, attempt, answer);
      batch = await unknown(batch, this.road(), this.hooks.stored);
      if (batch.length === 0) {
        this.hooks.trouble("");
        return;
      }
    }
  }

  #putBack(groups, halt) {
    groups.forEach((group) => mark(group, "waiting", ""));
    this.#ready.unshift(...groups);
    if (halt && !this.paused) {
      this.pause();
      this.hooks.halted(halt);
    }
  }

  /** A file that was changed or taken away looks like a lost connection: it is told apart by reading it. */
  async #stillThere(batch) {
    const there = await Promise.all(batch.map((item) => item.file.slice(0, 1).arrayBuffer().then(() => true, () => false)));
    mark(batch.filter((_, number) => !there[number]), "failed", "The file has changed or is no longer there. Choose it again.");
    return batch.filter((_, number) => there[number]);
  }

  /** Waits; shorter when the browser says that the network is back, or when it is paused. */
  async #rest(batch, attempt, answer) {
    const seconds = pause(attempt, answer.after ?? 0);
    mark(batch, "waiting", "");
    this.hooks.trouble(`${answer.sentence} Trying again in ${seconds} s; what has arrived is kept.`);
    this.hooks.changed();
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      const now = () => { clearTimeout(timer); resolve(undefined); };
      addEventListener("online", now, { once: true });
      this.#halt.signal.addEventListener("abort", now, { once: true });
    });
  }
}

/** @param {Item[]} batch */
function mark(batch, state, sentence) {
  batch.forEach((item) => Object.assign(item, { state, sentence, sent: 0 }));
}

/**
 * One request. XMLHttpRequest, because fetch tells nothing of what has been sent.
 * @returns {Promise<{ lines?: Line[], again?: boolean, lost?: boolean, split?: boolean, halt?: string, after?: number, sentence: string }>}
 */
function post(batch, road, changed, signal) {
  const form = new FormData();
  form.append("site", road.site);
  // Files go by their number: a file's own name often holds a patient's.
  batch.forEach((item, number) => form.append("files", item.file, String(number)));
  mark(batch, "sending", "");
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const lost = { lost: true, again: true, sentence: "The connection was lost." };
    let silence = 0;
    const listen = () => { clearTimeout(silence); silence = setTimeout(() => request.abort(), SILENCE_MS); };
    const stop = () => request.abort();
    request.open("POST", road.endpoint);
    request.setRequestHeader("X-CSRFToken", road.token);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => { share(batch, event.loaded); listen(); changed(); };
    request.onload = () => resolve(answerOf(request));
    request.onerror = () => resolve(lost);
    request.onabort = () => resolve(lost);
    request.onloadend = () => { clearTimeout(silence); signal.removeEventListener("abort", stop); };
    signal.addEventListener("abort", stop, { once: true });
    listen();
    if (signal.aborted) resolve(lost);
    else request.send(form);
  });
}

/** Spreads the bytes of a request over its files, in their order. */
function share(batch, loaded) {
  let left = loaded;
  for (const item of batch) {
    item.sent = Math.min(item.file.size, left);
    left = Math.max(0, left - item.file.size);
  }
}

/** @param {XMLHttpRequest} request */
function answerOf(request) {
  const body = parsed(request.responseText);
  const { status } = request;
  if (status === 201 || status === 200) return { lines: body.files ?? [], sentence: "" };
  const sentence = body.detail ?? `The portal answered with an error (${status}).`;
  if (status === 401 || status === 403) return { halt: `${sentence} Sign in again in another tab if your session has ended, then go on here.`, sentence };
  if (status === 507) return { halt: sentence, sentence };
  if (status === 413) return { split: true, sentence: "Too large for the portal." };
  const away = status === 429 || (status >= 502 && status <= 504);
  return { lost: away, again: status >= 500, after: Number(request.getResponseHeader("Retry-After")) || 0, sentence };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
