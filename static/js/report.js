// The draft: saved by itself a moment after typing stops, told of other people, signed with a password.
import { notify, openDialog } from "./app.js";

const PAUSE_MS = 1500;

const form = () => /** @type {HTMLFormElement | null} */ (document.getElementById("report-form"));
let timer = 0;
let dirty = false;
let blocked = false;
/** @type {Promise<boolean> | null} */
let saving = null;

document.addEventListener("input", (event) => {
  if (!(event.target instanceof HTMLTextAreaElement) || !event.target.closest("#report-form")) return;
  touch();
});

function touch() {
  dirty = true;
  say("draft · not saved yet");
  clearTimeout(timer);
  if (!blocked) timer = window.setTimeout(() => save(false), PAUSE_MS);
}

/**
 * Saves what is there; true once the server holds it.
 * @param {boolean} checked the reader holds the text against the decisions; a text that saves itself is not checked
 */
async function save(checked = true) {
  clearTimeout(timer);
  if (saving) await saving;
  if (!form() || blocked) return false;
  saving = sendText(form(), checked);
  const done = await saving;
  saving = null;
  return done;
}

async function sendText(report, checked) {
  dirty = false;
  const text = new FormData(report);
  if (!checked) text.set("by_itself", "1");
  say("draft · saving …");
  try {
    const answer = await fetch(report.action, { method: "POST", body: text, headers: { Accept: "application/json" } });
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) return saved(body, checked);
    return refused(answer.status, body.detail);
  } catch {
    dirty = true;
    say("draft · not saved: no connection");
    timer = window.setTimeout(() => save(checked), PAUSE_MS * 4);
    return false;
  }
}

function saved(body, checked) {
  revision(body.revision);
  if (!dirty) say(`draft · saved ${body.saved_at}`);
  if (checked) document.getElementById("report-stale")?.replaceChildren();
  return true;
}

function refused(status, detail) {
  dirty = true;
  blocked = status === 409;
  say("draft · not saved");
  notify(detail ?? `The text was not saved (${status}).`);
  return false;
}

function revision(number) {
  document.querySelectorAll("#report-form [name=revision], [data-revision]").forEach((input) => { /** @type {HTMLInputElement} */ (input).value = String(number); });
}

function say(text) {
  const chip = document.getElementById("saved");
  if (chip) chip.textContent = text;
}

async function redraft(address) {
  const token = form()?.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  const answer = await fetch(address, { method: "POST", headers: { "X-CSRFToken": token } });
  if (!answer.ok) {
    notify("The text could not be drafted anew.");
    return;
  }
  for (const [name, text] of Object.entries(await answer.json())) {
    const field = form()?.elements.namedItem(name);
    if (field instanceof HTMLTextAreaElement) field.value = text;
  }
  await save();
}

async function sign() {
  if ((dirty || saving) && !(await save(false))) return;
  openDialog("sign-dialog");
}

document.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  const anew = target.closest("[data-redraft]:not(form)");
  if (anew instanceof HTMLElement) redraft(anew.dataset.redraft);
  if (target.closest("[data-keep]")) save();
  if (target.closest("[data-sign]")) sign();
});
document.addEventListener("submit", (event) => {
  if (event.target !== form()) return;
  event.preventDefault();
  save();
});
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && form()) { event.preventDefault(); sign(); }
  if (event.key === "s" && form()) { event.preventDefault(); save(); }
});
window.addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
