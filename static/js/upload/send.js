// Sending in batches, two at a time, with progress and another try after a lost connection.

/** @typedef {{ file: File, path: string, state: string, sent: number, sentence: string }} Item */
/** @typedef {{ name: string, outcome: string, code: string, sentence: string, study_instance_uid: string | null, study_url: string | null }} Line */

const MOST_FILES = 50;
const MOST_BYTES = 60 * 1024 * 1024;
const AT_ONCE = 2;
const TRIES = 4;
const PAUSE_MS = 1500;

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

/**
 * Sends all items; `changed` is told whenever something moves, `answered` gets the lines of each batch.
 * @param {Item[]} items
 * @param {{ endpoint: string, site: string, token: string }} road
 * @param {{ changed: () => void, answered: (batch: Item[], lines: Line[]) => void }} hooks
 * @param {AbortSignal} signal
 */
export async function sendAll(items, road, hooks, signal) {
  const waiting = batches(items);
  const worker = async () => {
    for (let batch = waiting.shift(); batch && !signal.aborted; batch = waiting.shift()) {
      await sendBatch(batch, road, hooks, signal);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function sendBatch(batch, road, hooks, signal) {
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const answer = await post(batch, road, hooks.changed, signal);
    if (answer.lines) {
      hooks.answered(batch, answer.lines);
      return;
    }
    const last = attempt === TRIES || !answer.again || signal.aborted;
    mark(batch, last ? "failed" : "waiting", last ? answer.sentence : `${answer.sentence} Trying again.`);
    hooks.changed();
    if (last) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
  }
}

/** @param {Item[]} batch */
function mark(batch, state, sentence) {
  batch.forEach((item) => Object.assign(item, { state, sentence, sent: 0 }));
}

/**
 * One request. XMLHttpRequest, because fetch tells nothing of what has been sent.
 * @returns {Promise<{ lines?: Line[], again?: boolean, sentence: string }>}
 */
function post(batch, road, changed, signal) {
  const form = new FormData();
  form.append("site", road.site);
  // Files go by their number: a file's own name often holds a patient's.
  batch.forEach((item, number) => form.append("files", item.file, String(number)));
  mark(batch, "sending", "");
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", road.endpoint);
    request.setRequestHeader("X-CSRFToken", road.token);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => { share(batch, event.loaded); changed(); };
    request.onload = () => resolve(answerOf(request));
    request.onerror = () => resolve({ again: true, sentence: "The connection was lost." });
    request.onabort = () => resolve({ again: false, sentence: "Stopped." });
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
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
  if (request.status === 201 || request.status === 200) return { lines: body.files ?? [], sentence: "" };
  if (request.status === 413) return { again: false, sentence: "Too large for the server." };
  const busy = request.status === 429 || request.status >= 502;
  return { again: busy, sentence: body.detail ?? `The server answered with an error (${request.status}).` };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
