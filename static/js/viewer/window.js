// Windowing: Hounsfield units to grey levels by a table of all int16 values.

/** @typedef {{ name: string, center: number, width: number }} Preset */

/** Conventional windows (centre / width in HU). @type {Record<string, Preset>} */
export const PRESETS = {
  1: { name: "Lung", center: -600, width: 1500 },
  2: { name: "Mediastinum", center: 40, width: 400 },
  3: { name: "Bone", center: 400, width: 1800 },
  4: { name: "Wide lung", center: -500, width: 1400 },
  5: { name: "Brain", center: 40, width: 80 },
};

const OFFSET = 32768;

/**
 * The linear window of DICOM (PS3.3 C.11.2.1.2.1) as opaque grey RGBA words, indexed by HU + 32768.
 * @param {number} center @param {number} width
 */
export function greyTable(center, width) {
  const table = new Uint32Array(65536);
  const span = Math.max(width, 1) - 1 || 1;
  const low = center - 0.5 - span / 2;
  for (let i = 0; i < 65536; i += 1) {
    const share = (i - OFFSET - low) / span;
    const grey = share <= 0 ? 0 : share >= 1 ? 255 : Math.round(share * 255);
    table[i] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  return table;
}

/** Paints HU into RGBA words. @param {Int16Array} pixels @param {Uint32Array} table @param {Uint32Array} out */
export function paint(pixels, table, out) {
  const n = Math.min(pixels.length, out.length);
  for (let i = 0; i < n; i += 1) out[i] = table[pixels[i] + OFFSET];
}
