// The worklist by keyboard: move, open, next unread; the key image follows the selection.
import { isTyping } from "./app.js";

const WIDE = window.matchMedia("(min-width: 1101px)");
const PAUSE_MS = 120;

const body = document.getElementById("rows");
const panel = document.getElementById("panel");
let selected = "";
let timer = 0;

/** @returns {HTMLTableRowElement[]} */
const rows = () => (body ? [...body.querySelectorAll("tr")] : []);

/** Marks one row; the page scrolls to it and its key image is fetched after a short pause. */
function select(row, focus = true) {
  if (!row) return;
  selected = row.id;
  rows().forEach((one) => one.setAttribute("aria-selected", String(one === row)));
  rows().forEach((one) => { one.tabIndex = one === row ? 0 : -1; });
  if (focus) {
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
  clearTimeout(timer);
  timer = window.setTimeout(() => showPanel(row), PAUSE_MS);
}

function showPanel(row) {
  if (WIDE.matches && panel) htmx.ajax("GET", row.dataset.panel, { target: panel, swap: "innerHTML" });
}

function move(step) {
  const all = rows();
  const here = all.findIndex((row) => row.id === selected);
  select(all[Math.min(all.length - 1, Math.max(0, here + step))]);
}

function nextUnread() {
  const all = rows();
  const here = all.findIndex((row) => row.id === selected);
  const next = all.slice(here + 1).find((row) => row.hasAttribute("data-unread"));
  if (next) select(next);
  else follow("next");
}

function follow(rel) {
  const link = document.querySelector(`.pager a[rel=${rel}]`);
  if (link instanceof HTMLAnchorElement) link.click();
}

const KEYS = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  Home: () => select(rows()[0]),
  End: () => select(rows().at(-1)),
  Enter: () => open(document.getElementById(selected)),
  n: nextUnread,
  "]": () => follow("next"),
  "[": () => follow("prev"),
};

function open(row) {
  if (row) window.location.assign(row.dataset.href);
}

document.addEventListener("keydown", (event) => {
  const act = KEYS[event.key];
  if (!act || isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && event.target instanceof Element && event.target.closest("a, button, summary")) return;
  event.preventDefault();
  act();
});

body?.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  const row = target.closest("tr");
  if (!row || target.closest("a")) return;
  if (WIDE.matches && row.id !== selected) select(row);
  else open(row);
});

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-toggle]") : null;
  if (!(button instanceof HTMLElement)) return;
  const part = document.getElementById(button.dataset.toggle ?? "");
  if (!part) return;
  part.hidden = !part.hidden;
  button.setAttribute("aria-expanded", String(!part.hidden));
  if (!part.hidden) part.querySelector("input:not([type=hidden]), select")?.focus();
});

// Rows that came anew by the live request lose their mark: give it back.
document.addEventListener("htmx:oobAfterSwap", () => {
  const row = document.getElementById(selected);
  if (row) row.setAttribute("aria-selected", "true");
});

window.addEventListener("load", () => select(rows()[0], false));
