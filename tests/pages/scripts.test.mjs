// The pure parts of the page scripts; run by test_scripts.py with `node --test`.
import assert from "node:assert/strict";
import { test } from "node:test";

import { batches } from "../../static/js/upload/send.js";
import { order } from "../../static/js/viewer/slices.js";
import { View, matrix, toImage, toMillimetres } from "../../static/js/viewer/view.js";
import { PRESETS, greyTable, paint } from "../../static/js/viewer/window.js";

const grey = (table, hu) => table[hu + 32768] & 0xff;

test("a window runs from black to white as DICOM says", () => {
  const table = greyTable(40, 400);
  assert.equal(grey(table, -161), 0);
  assert.equal(grey(table, 240), 255);
  assert.ok(Math.abs(grey(table, 40) - 128) <= 1);
  assert.ok(grey(table, 0) < grey(table, 1) + 1 && grey(table, -50) < grey(table, 50));
});

test("a window of one unit is a threshold", () => {
  const table = greyTable(0, 1);
  assert.equal(grey(table, -1), 0);
  assert.equal(grey(table, 1), 255);
});

test("the presets are those of the clinical rules", () => {
  const values = Object.values(PRESETS).map(({ center, width }) => [center, width]);
  assert.deepEqual(values.slice(0, 4), [[-600, 1500], [40, 400], [400, 1800], [-500, 1400]]);
});

test("painting covers the whole range of int16", () => {
  const words = new Uint32Array(2);
  paint(new Int16Array([-32768, 32767]), greyTable(0, 100), words);
  assert.deepEqual([...words], [0xff000000, 0xffffffff]);
});

test("loading begins where one looks, then both ends and the middle, then outward, each once", () => {
  const found = order(300, 100);
  assert.deepEqual(found.slice(0, 4), [100, 0, 150, 299]);
  assert.deepEqual(found.slice(4, 8), [101, 99, 102, 98]);
  assert.equal(new Set(found).size, 300);
  assert.equal(found.length, 300);
});

test("a series of one slice is loaded once", () => assert.deepEqual(order(1, 0), [0]));

for (const [name, affine, flips] of [
  ["as stored", [[0.7, 0, 0, 0], [0, 0.7, 0, 0], [0, 0, 1, 0]], [false, false]],
  ["mirrored", [[-0.7, 0, 0, 0], [0, 0.7, 0, 0], [0, 0, 1, 0]], [true, false]],
  ["prone", [[-0.7, 0, 0, 0], [0, -0.7, 0, 0], [0, 0, 1, 0]], [true, true]],
]) {
  test(`the patient's right is on the left of the image: ${name}`, () => {
    const view = new View();
    view.orient(affine);
    assert.deepEqual([view.flipX, view.flipY], flips);
    const place = view.place(512, 512, 800, 600);
    const to = matrix(place, 512, 512);
    const x = (column) => to.ox + column * to.sx;
    const right = affine[0][0] < 0 ? 511 : 0;
    assert.ok(x(right) < x(511 - right));
    const back = toImage(place, 512, 512, x(100), to.oy + 200 * to.sy);
    assert.ok(Math.abs(back.column - 100) < 1e-9 && Math.abs(back.row - 200) < 1e-9);
  });
}

test("zooming keeps the point under the cursor", () => {
  const view = new View();
  const before = toImage(view.place(512, 512, 800, 600), 512, 512, 500, 200);
  view.zoomBy(2, 500 - 400, 200 - 300);
  const after = toImage(view.place(512, 512, 800, 600), 512, 512, 500, 200);
  assert.ok(Math.abs(before.column - after.column) < 1e-9 && Math.abs(before.row - after.row) < 1e-9);
});

test("pixels that are not square are drawn in their true shape", () => {
  const view = new View();
  view.shapePixels([1, 1.4, 0.7]);
  const place = view.place(100, 100, 400, 400);
  assert.equal(place.scaleY / place.scaleX, 2);
  assert.ok(100 * place.scaleY <= 400);
});

test("a voxel has its place in the patient", () => {
  const affine = [[0.7, 0, 0, -179], [0, 0.7, 0, -170], [0, 0, 1.25, -250]];
  assert.deepEqual(toMillimetres(affine, 10, 20, 4).map((value) => Math.round(value * 100) / 100), [-172, -156, -245]);
});

test("a request carries at most fifty files or sixty megabytes, and a large file goes alone", () => {
  const item = (megabytes) => ({ file: { size: megabytes * 1024 * 1024 } });
  assert.deepEqual(batches(Array.from({ length: 120 }, () => item(0.5))).map((one) => one.length), [50, 50, 20]);
  assert.deepEqual(batches([item(40), item(40), item(500), item(1)]).map((one) => one.length), [1, 1, 1, 1]);
  assert.deepEqual(batches([]), []);
});
