// The study page by keyboard: findings, decisions, adding, the way to the next study.
import { isTyping, openDialog } from "./app.js";

let current = 0;

/** @returns {HTMLElement[]} */
const articles = () => [...document.querySelectorAll("#findings .finding")].map((one) => /** @type {HTMLElement} */ (one));
const here = () => articles().find((one) => Number(one.dataset.number) === current);

/** Makes a finding the current one and lets the images follow. */
function select(article, jump = true) {
  if (!article) return;
  current = Number(article.dataset.number);
  articles().forEach((one) => (one === article ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current")));
  article.scrollIntoView({ block: "nearest" });
  if (jump) document.dispatchEvent(new CustomEvent("finding:show", { detail: current }));
}

function step(by) {
  const all = articles();
  const at = all.findIndex((one) => Number(one.dataset.number) === current);
  select(all[(at + by + all.length) % all.length]);
}

function act(name) {
  const control = here()?.querySelector(`[data-act=${name}]`);
  if (control instanceof HTMLElement) control.click();
}

function toggleEdit(article) {
  const form = article.querySelector(".edit");
  if (!(form instanceof HTMLElement)) return;
  form.hidden = !form.hidden;
  article.querySelector("[data-act=edit]")?.setAttribute("aria-expanded", String(!form.hidden));
  if (!form.hidden) form.querySelector("input[type=number]")?.focus();
}

document.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  const article = target.closest("#findings .finding");
  if (target.closest("[data-add]")) document.dispatchEvent(new CustomEvent("finding:add"));
  if (!(article instanceof HTMLElement)) return;
  const jumps = !target.closest(".act, .edit") || Number(article.dataset.number) !== current;
  select(article, jumps && !target.closest("form"));
  if (target.closest("[data-act=edit]")) toggleEdit(article);
});

const KEYS = {
  n: () => step(1),
  p: () => step(-1),
  y: () => act("accept"),
  x: () => act("reject"),
  e: () => act("edit"),
  a: () => document.dispatchEvent(new CustomEvent("finding:add")),
  r: () => document.querySelector("#report form button, #report-form textarea")?.focus(),
  "]": () => document.getElementById("next-study")?.click(),
};

document.addEventListener("keydown", (event) => {
  const open = document.querySelector(".finding details.menu[open]");
  if (event.key === "Escape") leave(event, open);
  if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (open && /^[1-9]$/.test(event.key)) {
    event.preventDefault();
    /** @type {HTMLElement} */ (open.querySelectorAll("button[name=reason]")[Number(event.key) - 1])?.click();
    return;
  }
  const does = KEYS[event.key.toLowerCase()];
  if (!does) return;
  event.preventDefault();
  does();
});

/** Escape closes what is open first, leaves a text field second, and goes back to the worklist last. */
function leave(event, open) {
  if (document.querySelector("dialog[open]")) return;
  const form = document.querySelector(".finding .edit:not([hidden])");
  if (open) open.removeAttribute("open");
  else if (form) toggleEdit(form.closest(".finding"));
  else if (isTyping(event.target)) event.target.blur();
  else document.getElementById("back")?.click();
}

/** After a decision: stay on the finding, or go on to the next that is undecided when it was accepted or rejected. */
document.addEventListener("htmx:afterSwap", (event) => {
  if (!(event.target instanceof Element) || event.target.id !== "findings") return;
  document.getElementById("add-dialog")?.close?.();
  const all = articles();
  const at = all.findIndex((one) => Number(one.dataset.number) === current);
  const moves = here()?.dataset.status !== "undecided" && here()?.dataset.status !== "corrected";
  const next = moves ? [...all.slice(at + 1), ...all.slice(0, Math.max(at, 0))].find((one) => one.dataset.status === "undecided") : undefined;
  document.dispatchEvent(new CustomEvent("findings:changed"));
  select(next ?? here(), Boolean(next));
});

document.addEventListener("finding:place", (event) => {
  const spot = /** @type {CustomEvent} */ (event).detail;
  const form = /** @type {HTMLFormElement | null} */ (document.getElementById("add-form"));
  if (!form) return;
  const set = (name, value) => { form.elements.namedItem(name).value = value; };
  set("slice_index", spot.slice);
  set("x_mm", spot.x.toFixed(3));
  set("y_mm", spot.y.toFixed(3));
  set("z_mm", spot.z.toFixed(3));
  form.querySelector("[data-add-slice]").textContent = String(spot.slice + 1);
  openDialog("add-dialog");
});

window.addEventListener("load", () => select(articles().find((one) => one.dataset.status === "undecided") ?? articles()[0]));
