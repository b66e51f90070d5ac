// The pure parts of the page scripts; run by test_scripts.py with `node --test`.
import assert from "node:assert/strict";
import { test } from "node:test";

import { unknown } from "../../static/js/upload/known.js";
import { inSight } from "../../static/js/upload/list.js";
import { batches, pause } from "../../static/js/upload/send.js";
import { Speed, duration, megabytes } from "../../static/js/upload/speed.js";
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

test("a request carries at most 25 files or 15 megabytes, and a large file goes alone", () => {
  const item = (megabytes) => ({ file: { size: megabytes * 1024 * 1024 } });
  assert.deepEqual(batches(Array.from({ length: 60 }, () => item(0.5))).map((one) => one.length), [25, 25, 10]);
  assert.deepEqual(batches([item(10), item(10), item(500), item(1)]).map((one) => one.length), [1, 1, 1, 1]);
  assert.deepEqual(batches([]), []);
});

test("pauses between tries grow to half a minute, or are as long as the portal asks", () => {
  assert.deepEqual([1, 2, 3, 6, 60].map((attempt) => pause(attempt, 0)), [1, 2, 4, 30, 30]);
  assert.deepEqual([pause(1, 7), pause(1, 9999)], [7, 300]);
});

test("speed is that of the last seconds, and tells what is left", () => {
  const speed = new Speed();
  assert.equal(speed.left(1e6), "");
  for (let second = 0; second <= 60; second += 1) speed.note(second, second < 30 ? 0 : (second - 30) * 2e6);
  assert.equal(speed.rate, 2e6);
  assert.equal(speed.left(240e6), "about 2 min left");
  speed.forget();
  assert.equal(speed.rate, 0);
  assert.deepEqual([duration(0.2), duration(59), duration(3700), megabytes(5e4), megabytes(2.5e6), megabytes(2e10)], ["1 s", "59 s", "1 h 2 min", "50 kB", "2.5 MB", "20.0 GB"]);
});

test("of ten thousand rows only those in sight are drawn", () => {
  assert.deepEqual(inSight(0, 320, 10_000), [0, 18]);
  assert.deepEqual(inSight(32_000, 320, 10_000), [992, 1018]);
  assert.deepEqual(inSight(1e9, 320, 10), [10, 10]);
  assert.deepEqual(inSight(0, 320, 10_000, 64), [0, 13]);
});

test("what the portal has is settled and the rest is sent; all is, while it is away", async () => {
  const file = (text) => ({ file: new Blob([text]), path: text });
  const items = [file("one"), file("two")];
  const one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
  const settled = [];
  const asked = [];
  globalThis.fetch = async (url, options) => { asked.push(JSON.parse(options.body)); return { ok: true, json: async () => ({ known: [{ sha256: one }] }) }; };
  const left = await unknown(items, { known: "/k", site: "s", token: "t" }, (item) => settled.push(item.path));
  assert.deepEqual([left.map((item) => item.path), settled, asked[0].site, asked[0].sha256[0]], [["two"], ["one"], "s", one]);
  globalThis.fetch = async () => { throw new TypeError("away"); };
  assert.equal((await unknown(items, { known: "/k", site: "s", token: "t" }, () => assert.fail())).length, 2);
});
