// The outcome of each file: a table of any length, of which only the rows in sight are made.
import { megabytes } from "./speed.js";

// Height of a row in upload.css: on a narrow screen the reason stands on lines of its own.
const ROW = 32;
const ROW_NARROW = 64;
const narrow = globalThis.matchMedia?.("(max-width: 640px)");
const MARGIN = 8;
const TONE = { stored: "ok", quarantined: "bad", refused: "bad", failed: "bad", sending: "busy" };
const WORD = { waiting: "waiting", sending: "sending", stored: "stored", duplicate: "already there", quarantined: "put aside", refused: "refused", failed: "not sent" };
export const PROBLEMS = ["refused", "quarantined", "failed"];

/** First and last row (exclusive) to draw. @param {number} top @param {number} height @param {number} count @param {number} row its height */
export function inSight(top, height, count, row = ROW) {
  const first = Math.max(0, Math.min(Math.floor(top / row) - MARGIN, count));
  return [first, Math.min(count, Math.ceil((top + height) / row) + MARGIN)];
}

export class List {
  /** @param {HTMLElement} scroll with a table in it, its body and two spacers */
  constructor(scroll) {
    this.scroll = scroll;
    this.table = scroll.querySelector("table");
    [this.above, this.body, this.below] = this.table.tBodies;
    /** @type {Map<number, HTMLTableRowElement>} */
    this.rows = new Map();
    this.items = [];
    scroll.addEventListener("scroll", () => this.draw(this.items), { passive: true });
    narrow?.addEventListener("change", () => this.draw(this.items));
  }

  /** @param {import("./send.js").Item[]} items */
  draw(items) {
    if (items !== this.items) this.rows.clear();
    this.items = items;
    const height = narrow?.matches ? ROW_NARROW : ROW;
    const [first, last] = inSight(this.scroll.scrollTop, this.scroll.clientHeight, items.length, height);
    this.table.ariaRowCount = String(items.length + 1);
    this.above.rows[0].style.height = `${first * height}px`;
    this.below.rows[0].style.height = `${(items.length - last) * height}px`;
    const wanted = new Map();
    for (let index = first; index < last; index += 1) wanted.set(index, this.#row(index));
    this.rows = wanted;
    const rows = [...wanted.values()];
    if (rows.length !== this.body.rows.length || rows.some((row, at) => row !== this.body.rows[at])) this.body.replaceChildren(...rows);
  }

  #row(index) {
    const item = this.items[index];
    const row = this.rows.get(index) ?? newRow(item, index);
    const key = `${item.state} ${item.sentence} ${item.state === "sending" ? item.sent : ""}`;
    if (row.dataset.key !== key) fill(row, item, key);
    return row;
  }
}

function newRow(item, index) {
  const row = document.createElement("tr");
  row.ariaRowIndex = String(index + 2);
  const name = row.insertCell();
  name.className = "mono";
  const file = item.path.lastIndexOf("/") + 1;
  const folder = Object.assign(document.createElement("span"), { className: "folder", textContent: item.path.slice(0, file) });
  name.append(clip(folder, item.path.slice(file)));
  name.title = item.path;
  const size = row.insertCell();
  size.className = "right nowrap";
  size.textContent = megabytes(item.file.size);
  row.insertCell();
  return row;
}

function fill(row, item, key) {
  row.dataset.key = key;
  const word = item.state === "sending" && item.file.size > 0 ? `${Math.round((100 * item.sent) / item.file.size)} % sent` : WORD[item.state] ?? item.state;
  const chip = Object.assign(document.createElement("span"), { className: `chip ${TONE[item.state] ?? ""}`, textContent: word });
  const sentence = Object.assign(document.createElement("span"), { className: "dim", textContent: item.sentence });
  row.cells[2].title = item.sentence;
  row.cells[2].replaceChildren(clip(chip, " ", sentence));
}

/** What a narrow screen cuts off, so that each row keeps its height. @param {(string | Node)[]} content */
function clip(...content) {
  const clipped = Object.assign(document.createElement("span"), { className: "clip" });
  clipped.append(...content);
  return clipped;
}
