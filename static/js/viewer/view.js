// Where the image lies on the screen: fit, zoom, pan, mirror. Pure geometry, no drawing.

/** @typedef {{ scaleX: number, scaleY: number, left: number, top: number, flipX: boolean, flipY: boolean }} Placement */

const MOST = 16;
const LEAST = 0.5;

export class View {
  constructor() {
    this.zoom = 1;
    this.panX = 0;
    this.panY = 0;
    this.flipX = false;
    this.flipY = false;
    this.pixelRatio = 1;
  }

  /**
   * Radiological convention: the patient's right on the left of the image, the front on top. Rows and columns
   * are shown as stored unless they run the other way.
   * @param {number[][] | undefined} affine x, y, z index to LPS mm
   */
  orient(affine) {
    if (!affine) return;
    this.flipX = affine[0][0] < 0;
    this.flipY = affine[1][1] < 0;
  }

  /** Height of a pixel over its width. @param {number[] | undefined} spacing z, y, x in mm */
  shapePixels(spacing) {
    if (spacing) this.pixelRatio = spacing[1] / spacing[2];
  }

  /** @returns {Placement} of an image of columns by rows on a stage of width by height */
  place(columns, rows, width, height) {
    const fit = Math.min(width / columns, height / (rows * this.pixelRatio));
    const scaleX = fit * this.zoom;
    const scaleY = scaleX * this.pixelRatio;
    return {
      scaleX,
      scaleY,
      left: (width - columns * scaleX) / 2 + this.panX,
      top: (height - rows * scaleY) / 2 + this.panY,
      flipX: this.flipX,
      flipY: this.flipY,
    };
  }

  /** Zooms so that the point under the cursor stays, given from the middle of the stage. */
  zoomBy(factor, x, y) {
    const zoom = Math.min(MOST, Math.max(LEAST, this.zoom * factor));
    const change = zoom / this.zoom;
    this.panX = x - (x - this.panX) * change;
    this.panY = y - (y - this.panY) * change;
    this.zoom = zoom;
    if (zoom === 1 && Math.abs(change - 1) > 0) this.panX = this.panY = 0;
  }

  reset() {
    this.zoom = 1;
    this.panX = this.panY = 0;
  }
}

/** Image coordinates (column, row; the centre of the first pixel is 0, 0) of a point of the stage. */
export function toImage(place, columns, rows, x, y) {
  const column = (x - place.left) / place.scaleX - 0.5;
  const row = (y - place.top) / place.scaleY - 0.5;
  return { column: place.flipX ? columns - 1 - column : column, row: place.flipY ? rows - 1 - row : row };
}

/** SVG matrix that carries image coordinates (pixel centres at whole numbers) to the stage. */
export function matrix(place, columns, rows) {
  const sx = place.flipX ? -place.scaleX : place.scaleX;
  const sy = place.flipY ? -place.scaleY : place.scaleY;
  const ox = place.left + place.scaleX * (place.flipX ? columns - 0.5 : 0.5);
  const oy = place.top + place.scaleY * (place.flipY ? rows - 0.5 : 0.5);
  return { sx, sy, ox, oy };
}

/** Millimetres (x, y, z LPS) of a voxel. @param {number[][]} affine */
export function toMillimetres(affine, column, row, slice) {
  return [0, 1, 2].map((i) => affine[i][0] * column + affine[i][1] * row + affine[i][2] * slice + affine[i][3]);
}
