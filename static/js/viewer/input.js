// Wheel, pointer, touch, keys and buttons of the slice browser.
import { isTyping } from "../app.js";

const WHEEL_STEP = 60;
const DRAG_STEP = 6;

/** @param {import("./main.js").Viewer} viewer */
export function attach(viewer) {
  const state = { tool: "scroll", wheel: 0 };
  wheel(viewer, state);
  pointer(viewer, state);
  keys(viewer, state);
  buttons(viewer, state);
}

function wheel(viewer, state) {
  viewer.stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.ctrlKey) {
      viewer.view.zoomBy(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.offsetX - viewer.width / 2, event.offsetY - viewer.height / 2);
      viewer.redraw();
      return;
    }
    // A mouse sends steps of 100 or more, a touch pad many small ones: both move by whole slices.
    state.wheel += event.deltaMode === 1 ? event.deltaY * 33 : event.deltaY;
    const steps = Math.trunc(state.wheel / WHEEL_STEP);
    if (steps === 0) return;
    state.wheel = 0;
    viewer.go(viewer.index - (Math.abs(steps) > 3 ? Math.sign(steps) * 3 : Math.sign(steps)));
  }, { passive: false });
}

function pointer(viewer, state) {
  const { stage } = viewer;
  /** @type {Map<number, { x: number, y: number }>} */
  const down = new Map();
  let start = null;
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    down.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    start = { x: event.offsetX, y: event.offsetY, index: viewer.index, window: { ...viewer.window }, panX: viewer.view.panX, panY: viewer.view.panY, gap: gap(down), tool: toolOf(event, state) };
  });
  stage.addEventListener("pointermove", (event) => {
    viewer.pointer = { x: event.offsetX, y: event.offsetY };
    if (down.has(event.pointerId)) {
      down.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
      drag(viewer, start, down, event);
    }
    viewer.redraw();
  });
  const up = (event) => { down.delete(event.pointerId); if (start) start.gap = 0; };
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("pointerleave", () => { viewer.pointer = null; viewer.redraw(); });
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
}

function toolOf(event, state) {
  if (event.button === 2) return "window";
  if (event.button === 1 || event.shiftKey) return "pan";
  return state.tool;
}

function gap(down) {
  const [a, b] = [...down.values()];
  return b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
}

function drag(viewer, start, down, event) {
  const dx = event.offsetX - start.x;
  const dy = event.offsetY - start.y;
  if (down.size === 2) {
    const now = gap(down);
    const [a, b] = [...down.values()];
    if (start.gap) viewer.view.zoomBy(now / start.gap, (a.x + b.x) / 2 - viewer.width / 2, (a.y + b.y) / 2 - viewer.height / 2);
    start.gap = now;
  } else if (start.tool === "window") {
    viewer.setWindow(start.window.center + dy * 2, start.window.width + dx * 4);
  } else if (start.tool === "pan") {
    viewer.view.panX = start.panX + dx;
    viewer.view.panY = start.panY + dy;
  } else {
    viewer.go(start.index - Math.round(dy / DRAG_STEP));
  }
}

function keys(viewer, state) {
  const acts = {
    ArrowUp: () => viewer.go(viewer.index + 1),
    ArrowDown: () => viewer.go(viewer.index - 1),
    PageUp: () => viewer.go(viewer.index + 10),
    PageDown: () => viewer.go(viewer.index - 10),
    Home: () => viewer.go(viewer.series.count - 1),
    End: () => viewer.go(0),
    h: () => viewer.toggleMarks(),
    w: () => choose(state, state.tool === "window" ? "scroll" : "window"),
    0: () => { viewer.view.reset(); viewer.redraw(); },
    "+": () => zoom(viewer, 1.25),
    "=": () => zoom(viewer, 1.25),
    "-": () => zoom(viewer, 0.8),
  };
  for (const key of "12345") acts[key] = () => viewer.usePreset(key);
  document.addEventListener("keydown", (event) => {
    const act = acts[event.key];
    if (!act || isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open], .finding details.menu[open]")) return;
    if (event.target instanceof HTMLInputElement && event.target.id === "slider") return;
    event.preventDefault();
    act();
  });
}

function zoom(viewer, factor) {
  viewer.view.zoomBy(factor, 0, 0);
  viewer.redraw();
}

function choose(state, tool) {
  state.tool = tool;
  document.querySelectorAll("[data-tool]").forEach((button) => button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.tool === tool)));
}

function buttons(viewer, state) {
  document.querySelectorAll("[data-tool]").forEach((button) => button.addEventListener("click", () => choose(state, /** @type {HTMLElement} */ (button).dataset.tool)));
  document.querySelector("[data-marks]")?.addEventListener("click", () => viewer.toggleMarks());
  const zooms = { in: () => zoom(viewer, 1.25), out: () => zoom(viewer, 0.8), fit: () => { viewer.view.reset(); viewer.redraw(); } };
  document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => zooms[/** @type {HTMLElement} */ (button).dataset.zoom]()));
  const preset = /** @type {HTMLSelectElement} */ (document.getElementById("preset"));
  preset.addEventListener("change", () => { viewer.usePreset(preset.value); preset.blur(); });
  const slider = /** @type {HTMLInputElement} */ (document.getElementById("slider"));
  slider.addEventListener("input", () => viewer.go(Number(slider.value) - 1));
}
