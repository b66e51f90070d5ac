// The upload page: collects, sends, and shows what became of each file.
import { isTyping, notify } from "../app.js";
import { fromDrop, fromInput } from "./collect.js";
import { List, PROBLEMS } from "./list.js";
import { Transfer } from "./send.js";
import { Speed, megabytes } from "./speed.js";
import { Studies } from "./studies.js";

const BREAK = "lungportal-upload";
const SETTLED = ["stored", "duplicate", "refused", "quarantined", "failed"];

const form = /** @type {HTMLFormElement} */ (document.getElementById("upload-form"));
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {import("./send.js").Item[]} */
let items = [];
let drawing = 0;
let gone = 0; // bytes that have left this machine; what the portal had already is not among them
const speed = new Speed();
const transfer = form ? new Transfer(road, { changed: show, answered, stored, trouble, halted }) : null;
let list, studies;

function csrf() {
  return form.querySelector("[name=csrfmiddlewaretoken]").value;
}

function road() {
  const { endpoint, known } = form.dataset;
  return { endpoint, known, site: form.elements.namedItem("site").value, token: csrf() };
}

/** @param {import("./collect.js").Found[]} found */
function take(found) {
  if (found.length === 0) {
    notify("There is no file in what you dropped.");
    return;
  }
  const fresh = found.map(({ file, path }) => ({ file, path, state: "waiting", sent: 0, sentence: "" }));
  items = items.concat(fresh);
  part("transfer").hidden = false;
  part("earlier").hidden = true;
  transfer.add(fresh);
  show();
}

/** Files went by their number in the batch; a zip answers with one line for each member, "3 (1)", "3 (2)", … */
function answered(batch, answers) {
  batch.forEach((item, number) => {
    const mine = answers.filter((line) => line.name === String(number) || line.name.startsWith(`${number} (`));
    settle(item, mine.length > 0 ? mine : [{ outcome: "refused", sentence: "The portal found no file in it." }]);
    gone += item.file.size;
  });
  answers.forEach((line) => studies.note(line));
  show();
}

/** The portal has had this file since before. */
function stored(item, line) {
  Object.assign(item, { state: "duplicate", sent: item.file.size, sentence: "" });
  studies.note(line);
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

/** "" when all is well again. */
function trouble(sentence) {
  const notice = part("trouble");
  if (notice.textContent !== sentence) notice.textContent = sentence;
  notice.hidden = sentence === "";
  if (sentence) speed.forget();
}

function halted(sentence) {
  trouble(`${sentence} Sending is paused.`);
  show();
}

function pauseOrGoOn() {
  if (!transfer.unfinished) return;
  speed.forget();
  trouble("");
  if (transfer.paused) transfer.resume();
  else transfer.pause();
  show();
}

function show() {
  if (!drawing) drawing = requestAnimationFrame(draw);
}

function count() {
  const found = { bytes: 0, sent: 0, under_way: 0, settled: 0 };
  for (const state of ["waiting", "sending", ...SETTLED]) found[state] = 0;
  for (const item of items) {
    found[item.state] += 1;
    found.bytes += item.file.size;
    found.sent += item.sent;
    if (item.state === "sending") found.under_way += item.sent;
    if (SETTLED.includes(item.state) && item.state !== "failed") found.settled += 1;
  }
  return found;
}

function draw() {
  drawing = 0;
  const now = count();
  const busy = transfer.unfinished;
  if (busy && !transfer.paused) speed.note(performance.now() / 1000, gone + now.under_way);
  /** @type {HTMLProgressElement} */ (part("whole")).value = now.bytes ? now.sent / now.bytes : 0;
  part("sum").textContent = heading(now, busy);
  const refused = now.refused + now.quarantined;
  part("detail").textContent = `${now.settled} of ${items.length} answered · ${now.stored} stored, ${now.duplicate} already there, ${refused} refused${now.failed ? `, ${now.failed} not sent` : ""}`;
  const pace = speed.rate > 0 ? `${megabytes(speed.rate)}/s` : "";
  part("pace").textContent = [`${megabytes(now.sent)} of ${megabytes(now.bytes)}`, ...(busy && !transfer.paused ? [pace, speed.left(now.bytes - now.sent)] : [])].filter(Boolean).join(" · ");
  part("pause").hidden = !busy;
  part("pause").textContent = transfer.paused ? "Go on" : "Pause";
  part("pause").classList.toggle("primary", transfer.paused);
  part("again").hidden = busy || now.failed === 0;
  const problems = refused + now.failed;
  part("only").hidden = problems === 0;
  part("only-count").textContent = String(problems);
  const filtered = /** @type {HTMLInputElement} */ (part("problems")).checked;
  list.draw(filtered ? items.filter((item) => PROBLEMS.includes(item.state)) : items);
  studies.draw(busy);
  remember(busy, now.settled);
}

function heading(now, busy) {
  if (busy) return transfer.paused ? "Paused" : `Sending ${items.length} file${items.length === 1 ? "" : "s"}`;
  return now.failed ? "Not everything was sent" : "Done";
}

/** How many files were under way when the page was left: a number, no name. */
function remember(busy, settled) {
  try {
    if (busy) localStorage.setItem(BREAK, JSON.stringify({ files: items.length, settled }));
    else localStorage.removeItem(BREAK);
  } catch {
    // a browser that keeps nothing goes without the reminder
  }
}

function remind() {
  try {
    const { files, settled } = JSON.parse(localStorage.getItem(BREAK) ?? "{}");
    if (!(files > settled)) return;
    part("earlier").textContent = `An upload was broken off after ${settled} of ${files} files. Choose the same folder again: what has arrived is found by its content and not sent twice.`;
    part("earlier").hidden = false;
  } catch {
    // nothing was kept, or not by us
  }
}

function listen() {
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
  part("pause").addEventListener("click", pauseOrGoOn);
  part("problems").addEventListener("change", show);
  part("again").addEventListener("click", () => { transfer.add(items.filter((item) => item.state === "failed")); show(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "p" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target)) pauseOrGoOn();
  });
  addEventListener("beforeunload", (event) => { if (transfer.unfinished) event.preventDefault(); });
  addEventListener("offline", () => { if (transfer.unfinished) trouble("This machine is offline. Sending goes on by itself when the network is back."); });
}

function start() {
  document.body.classList.add("scripted");
  part("folder-label").hidden = false;
  list = new List(part("files-scroll"));
  studies = new Studies(part("studies"), { complete: form.dataset.complete, csrf });
  remind();
  listen();
}

if (form) start();
