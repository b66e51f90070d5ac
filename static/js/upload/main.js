// The upload page: collects, sends, and shows what became of each file.
import { notify } from "../app.js";
import { fromDrop, fromInput } from "./collect.js";
import { sendAll } from "./send.js";

const SHOWN = 400;
const TONE = { stored: "ok", duplicate: "", quarantined: "bad", refused: "bad", failed: "bad", sending: "busy" };
const WORD = { waiting: "waiting", sending: "sending", stored: "stored", duplicate: "already there", quarantined: "put aside", refused: "refused", failed: "not sent" };

const form = /** @type {HTMLFormElement} */ (document.getElementById("upload-form"));
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {import("./send.js").Item[]} */
let items = [];
/** @type {Map<string, { url: string, count: number, done: boolean }>} */
const studies = new Map();
/** @type {Map<object, HTMLTableRowElement>} */
const lines = new Map();
let stop = new AbortController();
let sending = false;
let drawing = 0;

function csrf() {
  return form.querySelector("[name=csrfmiddlewaretoken]").value;
}

/** @param {import("./collect.js").Found[]} found */
async function take(found) {
  if (found.length === 0) {
    notify("There is no file in what you dropped.");
    return;
  }
  const fresh = found.map(({ file, path }) => ({ file, path, state: "waiting", sent: 0, sentence: "" }));
  items = items.concat(fresh);
  part("transfer").hidden = false;
  await send(fresh);
}

async function send(some) {
  sending = true;
  stop = new AbortController();
  show();
  const road = { endpoint: form.dataset.endpoint, site: form.elements.namedItem("site").value, token: csrf() };
  await sendAll(some, road, { changed: show, answered }, stop.signal);
  items.filter((item) => item.state === "waiting").forEach((item) => Object.assign(item, { state: "failed", sentence: "Stopped." }));
  sending = false;
  show();
}

/** Files went by their number in the batch; a zip answers with one line for each member, "3 (1)", "3 (2)", … */
function answered(batch, answers) {
  batch.forEach((item, number) => {
    const mine = answers.filter((line) => line.name === String(number) || line.name.startsWith(`${number} (`));
    settle(item, mine.length > 0 ? mine : [{ outcome: "refused", sentence: "The server found no file in it." }]);
  });
  answers.forEach(note);
  show();
}

function settle(item, mine) {
  item.sent = item.file.size;
  if (mine.length === 1) {
    Object.assign(item, { state: mine[0].outcome, sentence: mine[0].sentence });
    return;
  }
  const count = (outcome) => mine.filter((line) => line.outcome === outcome).length;
  const refused = count("refused") + count("quarantined");
  item.state = refused === mine.length ? "refused" : count("stored") > 0 ? "stored" : "duplicate";
  item.sentence = `${mine.length} files: ${count("stored")} stored, ${count("duplicate")} already there, ${refused} refused. ${[...new Set(mine.filter((line) => line.sentence && line.outcome !== "duplicate").map((line) => line.sentence))].slice(0, 3).join(" ")}`;
}

function note(line) {
  if (!line.study_instance_uid || !line.study_url) return;
  const study = studies.get(line.study_instance_uid) ?? { url: line.study_url, count: 0, done: false };
  study.count += 1;
  studies.set(line.study_instance_uid, study);
}

function show() {
  if (!drawing) drawing = requestAnimationFrame(draw);
}

function draw() {
  drawing = 0;
  const size = (some) => some.reduce((sum, item) => sum + item.file.size, 0);
  const bytes = size(items);
  const sent = items.reduce((sum, item) => sum + item.sent, 0);
  const count = (...states) => items.filter((item) => states.includes(item.state)).length;
  const settled = count("stored", "duplicate", "refused", "quarantined");
  const failed = count("failed");
  /** @type {HTMLProgressElement} */ (part("whole")).value = bytes ? sent / bytes : 0;
  part("sum").textContent = sending ? `Sending ${items.length} file${items.length === 1 ? "" : "s"}` : failed ? "Not everything was sent" : "Done";
  part("detail").textContent = `${settled} of ${items.length} answered · ${megabytes(sent)} of ${megabytes(bytes)} · ${count("stored")} stored, ${count("duplicate")} already there, ${count("refused", "quarantined")} refused${failed ? `, ${failed} not sent` : ""}`;
  part("stop").hidden = !sending;
  part("again").hidden = sending || failed === 0;
  items.slice(0, SHOWN).forEach(drawLine);
  part("files-more").textContent = items.length > SHOWN ? `and ${items.length - SHOWN} more; those with a problem are listed here.` : "";
  items.slice(SHOWN).filter((item) => ["refused", "quarantined", "failed"].includes(item.state)).forEach(drawLine);
  drawStudies();
}

function megabytes(bytes) {
  if (bytes < 1e5) return `${Math.ceil(bytes / 1e3)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

function drawLine(item) {
  const line = lines.get(item) ?? newLine(item);
  const key = `${item.state} ${item.sentence}`;
  const bar = line.querySelector("progress");
  if (bar) bar.value = item.file.size ? item.sent / item.file.size : 1;
  if (line.dataset.key === key) return;
  line.dataset.key = key;
  const cell = line.cells[2];
  cell.replaceChildren(chip(item.state));
  if (item.state === "sending") cell.append(" ", Object.assign(document.createElement("progress"), { max: 1, value: 0 }));
  if (item.sentence) cell.append(" ", Object.assign(document.createElement("span"), { className: "dim", textContent: item.sentence }));
}

function newLine(item) {
  const line = /** @type {HTMLTableSectionElement} */ (part("files-list")).insertRow();
  const name = line.insertCell();
  name.className = "mono";
  name.textContent = item.path;
  const size = line.insertCell();
  size.className = "right nowrap";
  size.textContent = megabytes(item.file.size);
  line.insertCell();
  lines.set(item, line);
  return line;
}

function chip(state) {
  return Object.assign(document.createElement("span"), { className: `chip ${TONE[state] ?? ""}`, textContent: WORD[state] ?? state });
}

function drawStudies() {
  for (const [uid, study] of studies) {
    const id = `study-${uid}`;
    const entry = document.getElementById(id) ?? newStudy(id, uid, study);
    entry.querySelector("[data-count]").textContent = `${study.count} image${study.count === 1 ? "" : "s"}`;
    entry.querySelector("button").disabled = sending || study.done;
  }
}

function newStudy(id, uid, study) {
  const entry = document.createElement("li");
  entry.id = id;
  const link = Object.assign(document.createElement("a"), { className: "strong link", href: study.url, textContent: "Open the study" });
  const count = Object.assign(document.createElement("span"), { className: "dim" });
  count.dataset.count = "";
  const space = Object.assign(document.createElement("span"), { className: "spring" });
  const button = Object.assign(document.createElement("button"), { type: "button", className: "btn primary", textContent: "Finished: read it now" });
  button.addEventListener("click", () => complete(uid, study, button));
  entry.append(link, count, space, button);
  part("studies").append(entry);
  return entry;
}

async function complete(uid, study, button) {
  button.disabled = true;
  try {
    const answer = await fetch(`${form.dataset.complete}${uid}/complete/`, { method: "POST", headers: { "X-CSRFToken": csrf(), Accept: "application/json" } });
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? `The server answered with an error (${answer.status}).`);
    study.done = true;
    button.textContent = "✓ it is being read";
  } catch (error) {
    button.disabled = false;
    notify(error instanceof TypeError ? "The server cannot be reached; try again." : error.message);
  }
}

function start() {
  document.body.classList.add("scripted");
  part("folder-label").hidden = false;
  const drop = part("drop");
  for (const id of ["files", "folder"]) {
    const input = /** @type {HTMLInputElement} */ (part(id));
    input.addEventListener("change", () => { take(fromInput(input.files)); input.value = ""; });
  }
  document.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer) take(await fromDrop(event.dataTransfer));
  });
  part("stop").addEventListener("click", () => stop.abort());
  part("again").addEventListener("click", () => send(items.filter((item) => item.state === "failed")));
  window.addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); });
}

if (form) start();
