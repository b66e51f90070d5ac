// The slice browser: one canvas, one series, everything drawn at most once a frame.
import { notify } from "../app.js";
import { attach } from "./input.js";
import { Marks } from "./marks.js";
import { SliceStore } from "./slices.js";
import { View, matrix, toImage, toMillimetres } from "./view.js";
import { PRESETS, greyTable, paint } from "./window.js";

const part = (id) => /** @type {any} */ (document.getElementById(id));
const json = (id) => JSON.parse(part(id)?.textContent ?? "null");

export class Viewer {
  constructor(series, places) {
    this.series = series;
    this.stage = part("stage");
    this.canvas = part("image");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.buffer = document.createElement("canvas");
    this.view = new View();
    this.view.orient(series.affine);
    this.view.shapePixels(series.spacing_mm);
    this.marks = new Marks(part("marks"));
    this.marks.places = places;
    this.marks.spacing = series.spacing_mm ?? [1, 1, 1];
    this.index = this.start(places);
    this.window = { ...PRESETS[1] };
    this.table = greyTable(this.window.center, this.window.width);
    this.painted = { slice: null, table: null };
    this.pointer = null;
    this.frame = 0;
    this.store = new SliceStore(series, (index) => this.arrived(index), (text) => notify(text));
    this.begin();
  }

  /** Looking begins at the first finding, else in the middle. */
  start(places) {
    return places.length > 0 ? places[0].slice : Math.floor(this.series.count / 2);
  }

  begin() {
    new ResizeObserver(() => this.resize()).observe(this.stage);
    this.resize();
    this.go(this.index);
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.stage.clientWidth;
    this.height = this.stage.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    part("loaded").width = 22;
    part("loaded").height = this.series.count;
    this.redraw();
    this.drawLoaded();
  }

  /** @param {number} index slice to look at; out of range is the nearest end */
  go(index) {
    this.index = Math.min(this.series.count - 1, Math.max(0, index));
    this.store.lookAt(this.index);
    part("slider").value = String(this.index + 1);
    this.redraw();
  }

  setWindow(center, width, preset = "") {
    this.window = { name: "", center: Math.round(center), width: Math.max(2, Math.round(width)) };
    this.table = greyTable(this.window.center, this.window.width);
    part("preset").value = preset;
    this.redraw();
  }

  usePreset(key) {
    const preset = PRESETS[key];
    if (preset) this.setWindow(preset.center, preset.width, key);
  }

  arrived(index) {
    if (index === this.index) this.redraw();
    this.loadedSoon ??= requestAnimationFrame(() => { this.loadedSoon = undefined; this.drawLoaded(); });
  }

  redraw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    const slice = this.store.get(this.index);
    this.stage.classList.toggle("late", !slice);
    if (slice) this.drawSlice(slice);
    this.drawCorners(slice);
  }

  drawSlice(slice) {
    this.size = { rows: slice.rows, columns: slice.columns };
    this.paint(slice);
    const place = this.placement();
    const ratio = this.canvas.width / this.width;
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.imageSmoothingEnabled = place.scaleX < 6;
    context.imageSmoothingQuality = "high";
    const to = matrix(place, slice.columns, slice.rows);
    context.setTransform(ratio * to.sx, 0, 0, ratio * to.sy, ratio * to.ox, ratio * to.oy);
    context.drawImage(this.buffer, -0.5, -0.5);
    this.marks.draw(this.index, place, slice.columns, slice.rows);
  }

  /** HU to grey, only when the slice or the window has changed. */
  paint(slice) {
    if (this.painted.slice === slice && this.painted.table === this.table) return;
    if (this.buffer.width !== slice.columns || this.buffer.height !== slice.rows) {
      this.buffer.width = slice.columns;
      this.buffer.height = slice.rows;
      this.ink = this.buffer.getContext("2d", { alpha: false });
      this.picture = this.ink.createImageData(slice.columns, slice.rows);
      this.words = new Uint32Array(this.picture.data.buffer);
    }
    paint(slice.pixels, this.table, this.words);
    this.ink.putImageData(this.picture, 0, 0);
    this.painted = { slice, table: this.table };
  }

  placement() {
    return this.view.place(this.size.columns, this.size.rows, this.width, this.height);
  }

  /** Voxel under a point of the stage, null outside the image. */
  voxelAt(x, y) {
    if (!this.size) return null;
    const { column, row } = toImage(this.placement(), this.size.columns, this.size.rows, x, y);
    const inside = column > -0.5 && row > -0.5 && column < this.size.columns - 0.5 && row < this.size.rows - 0.5;
    return inside ? { column, row } : null;
  }

  drawCorners(slice) {
    const { series, window: shown } = this;
    const z = series.affine ? toMillimetres(series.affine, 0, 0, this.index)[2] : null;
    part("corner-tl").textContent = `${series.title}\n${this.index + 1} / ${series.count}${slice ? "" : " loading"}`;
    part("corner-tr").textContent = series.description || "";
    part("corner-bl").textContent = `W ${shown.width} L ${shown.center}\n${series.thickness_mm ? `${series.thickness_mm.toFixed(2).replace(/0$/, "")} mm` : ""}`;
    part("corner-br").textContent = `${this.underPointer(slice)}${z === null ? "" : `z ${z.toFixed(1)} mm`}`;
    part("edge-left").textContent = series.affine ? "R" : "";
    part("edge-right").textContent = series.affine ? "L" : "";
    part("slider").setAttribute("aria-valuetext", `slice ${this.index + 1} of ${series.count}`);
  }

  underPointer(slice) {
    const voxel = slice && this.pointer ? this.voxelAt(this.pointer.x, this.pointer.y) : null;
    if (!voxel) return "";
    return `HU ${slice.pixels[Math.round(voxel.row) * slice.columns + Math.round(voxel.column)]}\n`;
  }

  /** The strip behind the slider: what is here already, and where findings lie. */
  drawLoaded() {
    const strip = part("loaded");
    const ink = strip.getContext("2d");
    const { count } = this.series;
    ink.clearRect(0, 0, 22, count);
    ink.fillStyle = "#34414f";
    for (const index of this.store.kept.keys()) ink.fillRect(9, count - 1 - index, 4, 1);
    ink.fillStyle = "#ff9a4d";
    for (const place of this.marks.places) ink.fillRect(16, count - 1 - place.slice, 6, Math.max(1, count / 150));
    const all = this.store.kept.size;
    part("loading").textContent = all < count && !this.store.full ? `${all} of ${count} slices here` : "";
  }

  /** Jumps to a finding by its number. */
  showFinding(number) {
    this.marks.current = number;
    const place = this.marks.places.find((one) => one.number === number);
    if (place) this.go(place.slice);
    else this.redraw();
  }

  toggleMarks() {
    this.marks.shown = !this.marks.shown;
    document.querySelector("[data-marks]")?.setAttribute("aria-pressed", String(this.marks.shown));
    this.redraw();
  }

  /** The layer that shows sensitivity, not location: fetched when it is first asked for. */
  async toggleSensitivity(button) {
    if (!this.sensitivity) {
      const answer = await fetch(button.dataset.sensitivity);
      if (!answer.ok) return;
      this.sensitivity = (await answer.json()).findings;
    }
    const shown = !this.marks.sensitivity;
    this.marks.sensitivity = shown ? this.sensitivity : null;
    button.setAttribute("aria-pressed", String(shown));
    this.redraw();
  }

  /** What an added finding needs to know of the place that was pointed at; the middle without a pointer. */
  spot(point = this.pointer) {
    const at = point ?? { x: this.width / 2, y: this.height / 2 };
    const voxel = this.voxelAt(at.x, at.y);
    if (!voxel || !this.series.affine) return null;
    const [x, y, z] = toMillimetres(this.series.affine, voxel.column, voxel.row, this.index);
    return { slice: this.index, x, y, z };
  }

  async loadOutlines(address) {
    if (!address) return;
    const answer = await fetch(address);
    if (!answer.ok) return;
    this.marks.outlines = (await answer.json()).findings;
    this.redraw();
  }
}

function start() {
  const box = part("viewer");
  const viewer = new Viewer(json("viewer-series"), json("places") ?? []);
  attach(viewer);
  viewer.loadOutlines(box.dataset.outlines);
  document.addEventListener("finding:show", (event) => viewer.showFinding(/** @type {CustomEvent} */ (event).detail));
  document.addEventListener("findings:changed", () => {
    viewer.marks.places = json("places") ?? [];
    viewer.redraw();
    viewer.drawLoaded();
  });
  document.querySelector("[data-sensitivity]")?.addEventListener("click", (event) => viewer.toggleSensitivity(event.currentTarget));
  document.addEventListener("finding:add", () => addAt(viewer, viewer.spot()));
  viewer.stage.addEventListener("dblclick", (event) => {
    if (box.dataset.mayAdd) addAt(viewer, viewer.spot({ x: event.offsetX, y: event.offsetY }));
  });
  window.addEventListener("pagehide", () => viewer.store.close());
}

function addAt(viewer, spot) {
  if (!spot) {
    notify("Point at a place inside the image of a series that makes a volume.");
    return;
  }
  document.dispatchEvent(new CustomEvent("finding:place", { detail: spot }));
}

if (part("viewer")) start();
