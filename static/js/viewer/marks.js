// Outlines of findings as vector paths over the image.
import { matrix } from "./view.js";

/** @typedef {{ number: number, finding: string | null, status: string, slice: number, column: number, row: number, radius_mm: number }} Place */

const SVG = "http://www.w3.org/2000/svg";

export class Marks {
  /** @param {SVGElement} layer */
  constructor(layer) {
    this.layer = layer;
    /** @type {Place[]} */
    this.places = [];
    /** @type {Record<string, Record<string, number[][]>>} */
    this.outlines = {};
    /** The optional layer: what the rating reacts to. */
    this.sensitivity = null;
    this.shown = true;
    this.current = 0;
    this.spacing = [1, 1, 1];
  }

  /**
   * Draws what touches a slice.
   * @param {number} slice @param {import("./view.js").Placement} place
   */
  draw(slice, place, columns, rows) {
    this.layer.replaceChildren();
    if (!this.shown) return;
    const to = matrix(place, columns, rows);
    if (this.sensitivity) this.drawSensitivity(slice, to);
    for (const one of this.places) {
      const polygons = one.finding ? this.outlines[one.finding]?.[slice] : undefined;
      if (polygons) this.outline(one, polygons, to);
      else if (!one.finding && Math.abs(slice - one.slice) * this.spacing[0] <= one.radius_mm) this.circle(one, slice, to);
      else if (one.finding && !this.outlines[one.finding] && slice === one.slice) this.circle(one, slice, to);
      else continue;
      this.label(one, to);
    }
  }

  drawSensitivity(slice, to) {
    for (const one of this.places) {
      const polygons = one.finding ? this.sensitivity[one.finding]?.[slice] : undefined;
      if (polygons) this.path(polygons, to, "sensitivity");
    }
  }

  outline(one, polygons, to) {
    this.path(polygons, to, this.classOf(one));
  }

  path(polygons, to, name) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", polygons.map((points) => pathOf(points, to)).join(""));
    path.setAttribute("class", name);
    this.layer.append(path);
  }

  circle(one, slice, to) {
    const away = (slice - one.slice) * this.spacing[0];
    const radius = Math.sqrt(Math.max(one.radius_mm ** 2 - away ** 2, 1));
    const circle = document.createElementNS(SVG, "circle");
    circle.setAttribute("cx", String(to.ox + one.column * to.sx));
    circle.setAttribute("cy", String(to.oy + one.row * to.sy));
    circle.setAttribute("r", String((radius / this.spacing[2]) * Math.abs(to.sx)));
    circle.setAttribute("class", this.classOf(one));
    this.layer.append(circle);
  }

  label(one, to) {
    const text = document.createElementNS(SVG, "text");
    const reach = (one.radius_mm / this.spacing[2]) * Math.abs(to.sx) + 6;
    text.setAttribute("x", String(to.ox + one.column * to.sx + reach));
    text.setAttribute("y", String(to.oy + one.row * to.sy - reach));
    text.textContent = String(one.number);
    this.layer.append(text);
  }

  classOf(one) {
    return one.number === this.current ? `${one.status} current` : one.status;
  }
}

function pathOf(points, to) {
  let path = "";
  for (let i = 0; i < points.length; i += 2) {
    path += `${i ? "L" : "M"}${(to.ox + points[i] * to.sx).toFixed(1)} ${(to.oy + points[i + 1] * to.sy).toFixed(1)}`;
  }
  return `${path}Z`;
}
