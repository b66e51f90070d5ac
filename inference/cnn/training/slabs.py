"""Slabs of five native slices around an outlined slice, shifted, turned and scaled: the outline network's
school."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.preprocessing import OUTLINE_SLICES, OUTLINE_WINDOW, outline_input
from inference.cnn.training.augment import USUAL, Chances
from inference.cnn.training.bank import without_nodule
from inference.cnn.training.lidc import LidcNodule

Rng = np.random.Generator
FloatArray = NDArray[np.float32]
BEYOND = 6
FOREIGN = 0.6
DEPTH_JITTER_MM, SHIFT_PX = 1.5, 12.0
READER_WEIGHT = {1: 0.45, 2: 0.7, 3: 1.0, 4: 1.0}


@dataclass(frozen=True)
class Slabs:
    """All stacks of a split one after the other, each with BEYOND made-up slices before and after.

    `hu` int16 and `votes` uint8 (255 = every reader) are (n, 64, 64); `first` and `last` bound the real
    slices of
    the stack that slice i belongs to; `real` tells real slices from made-up ones, `off` how many mm above or
    below the nodule's centre a slice lies.
    """

    hu: NDArray[np.int16]
    votes: NDArray[np.uint8]
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    real: NDArray[np.bool_]
    center: NDArray[np.float32]
    spacing: NDArray[np.float32]
    weight: NDArray[np.float32]
    off: NDArray[np.float32]


def _emptied(nodule: LidcNodule, edge: int, rng: Rng) -> NDArray[np.float32]:
    """The first or last slice with the nodule filled from its surroundings."""
    return without_nodule(nodule.hu[edge].astype(np.float32), nodule.votes[edge], rng)


def _beyond(own: NDArray[np.float32], others: list[NDArray[np.float32]], rng: Rng) -> NDArray[np.float32]:
    """BEYOND made-up slices, nearest first: what the nodule left, or lung of another patient moved to the
    middle.

    The second kind, so that sharp vessels where the nodule was are known not to be it.
    """
    base = own
    if rng.random() < FOREIGN:
        other = np.rot90(others[int(rng.integers(len(others)))], int(rng.integers(4)))
        base = np.roll(other, rng.integers(18, 46, 2), (0, 1))
    drift, slices = rng.normal(0, 0.5, 2), []
    for i in range(1, BEYOND + 1):
        moved = ndimage.shift(base, drift * i, order=1, mode="nearest")
        slices.append(moved + ndimage.gaussian_filter(rng.normal(0, 20, base.shape), 0.6))
    return np.asarray(slices, np.float32)


def middle(nodule: LidcNodule) -> NDArray[np.float64]:
    """Row and column of the consensus outline's centre."""
    at = np.argwhere(nodule.votes >= 0.5)
    return np.asarray((at if len(at) else np.argwhere(nodule.votes > 0)).mean(axis=0)[1:])


def depth(nodule: LidcNodule) -> float:
    """Slice (fractional) of the consensus outline's centre."""
    at = np.argwhere(nodule.votes >= 0.5)
    return float((at if len(at) else np.argwhere(nodule.votes > 0)).mean(axis=0)[0])


def slabs(nodules: list[LidcNodule], seed: int) -> Slabs:
    """Every nodule of a split; those that the 64 x 64 window cuts are left out."""
    rng = np.random.default_rng(seed)
    columns: list[list[Any]] = [[] for _ in range(9)]
    hu, votes, first, last, real, center, spacing, weight, off = columns
    at, kept = 0, [n for n in nodules if not n.cut]
    ends = [(_emptied(n, 0, rng), _emptied(n, -1, rng)) for n in kept]
    others = [end for pair in ends for end in pair]
    for nodule, (low, high) in zip(kept, ends, strict=True):
        n = nodule.hu.shape[0]
        before, after = _beyond(low, others, rng)[::-1], _beyond(high, others, rng)
        hu.append(np.concatenate([before, nodule.hu, after]).round().astype(np.int16))
        votes.append(np.pad(np.rint(nodule.votes * 255).astype(np.uint8), ((BEYOND, BEYOND), (0, 0), (0, 0))))
        total = n + 2 * BEYOND
        first.append(np.full(total, at + BEYOND))
        last.append(np.full(total, at + BEYOND + n - 1))
        real.append(np.r_[np.zeros(BEYOND, bool), np.ones(n, bool), np.zeros(BEYOND, bool)])
        center.append(np.tile(middle(nodule), (total, 1)))
        spacing.append(np.tile([nodule.spacing_mm[0], nodule.spacing_mm[1]], (total, 1)))
        weight.append(np.full(total, READER_WEIGHT[min(len(nodule.masks), 4)]))
        off.append((np.arange(total) - BEYOND - depth(nodule)) * nodule.spacing_mm[0])
        at += total
    joined = [np.concatenate(column) for column in columns]
    return Slabs(*joined)


def neighbours(data: Slabs, index: NDArray[np.intp], rng: Rng) -> NDArray[np.intp]:
    """(n, OUTLINE_SLICES) rows around each; beyond the nodule made-up slices, or mirrored or repeated real
    ones."""
    half = OUTLINE_SLICES // 2
    rows = index[:, None] + np.arange(-half, half + 1)
    first, last = data.first[index][:, None], data.last[index][:, None]
    mirrored = np.where(rows < first, 2 * first - rows, np.where(rows > last, 2 * last - rows, rows))
    repeated = np.clip(rows, first, last)
    mirrored = np.clip(mirrored, first, last)
    made = np.clip(rows, first - BEYOND, last + BEYOND)
    way = rng.random((len(index), 1))
    chosen = np.where(way < 0.45, made, np.where(way < 0.8, mirrored, repeated))
    inside = data.real[index][:, None]
    rows = np.where(inside, chosen, made)
    turned = rng.random(len(index)) < 0.5
    rows[turned] = rows[turned, ::-1]
    return np.asarray(rows)


def _reflected(at: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    period = 2 * (n - 1)
    folded = np.mod(at, period)
    return np.asarray(np.where(folded > n - 1, period - folded, folded), np.float32)


def turned_grids(
    rng: Rng, center: NDArray[np.float32], shift: float, chances: Chances
) -> tuple[FloatArray, FloatArray]:
    """Source rows and columns (n, w, w) of windows turned, mirrored, scaled and moved about each centre."""
    n, w = len(center), OUTLINE_WINDOW
    quarters = rng.integers(0, 4, n) * np.pi / 2
    angle = np.where(rng.random(n) < chances["rotate"], rng.uniform(0, 2 * np.pi, n), quarters)
    scale = np.where(rng.random(n) < chances["scale"], np.exp(rng.normal(0, 0.12, n)), 1.0)
    mirror = np.where(rng.random(n) < chances["flip"], -1.0, 1.0)
    grid = np.arange(w, dtype=np.float32) - (w - 1) / 2
    u, v = np.meshgrid(grid, grid, indexing="ij")
    move = rng.uniform(-shift, shift, (n, 2)) * (rng.random((n, 1)) < chances["shift"])
    u = u[None] - move[:, 0, None, None]
    v = (v[None] - move[:, 1, None, None]) * mirror[:, None, None]
    c, s = (np.cos(angle) / scale)[:, None, None], (np.sin(angle) / scale)[:, None, None]
    rows = center[:, 0, None, None] + c * u - s * v
    cols = center[:, 1, None, None] + s * u + c * v
    return rows.astype(np.float32), cols.astype(np.float32)


def sampled(images: NDArray[Any], rows: FloatArray, cols: FloatArray) -> FloatArray:
    """Bilinear values (n, k, w, w) of images (n, k, h, h), mirrored beyond their edge."""
    n, k, h, _ = images.shape
    r, c = _reflected(rows, h), _reflected(cols, h)
    r0, c0 = np.minimum(r.astype(np.int32), h - 2), np.minimum(c.astype(np.int32), h - 2)
    fr, fc = (r - r0)[:, None], (c - c0)[:, None]
    flat = images.reshape(n, k, h * h)
    base = (r0 * h + c0).reshape(n, 1, -1)
    base = np.broadcast_to(base, (n, k, base.shape[-1]))

    def at(offset: int) -> FloatArray:
        return (
            np.take_along_axis(flat, base + offset, axis=2).reshape(n, k, *rows.shape[1:]).astype(np.float32)
        )

    top = at(0) * (1 - fc) + at(1) * fc
    return np.asarray(top * (1 - fr) + (at(h) * (1 - fc) + at(h + 1) * fc) * fr, np.float32)


def other_scanner(rng: Rng, hu: FloatArray, chances: Chances = USUAL) -> FloatArray:
    """Noise, offset and gain, blur or sharpening of whole slabs (n, k, w, w)."""
    n = len(hu)
    sigma = np.where(rng.random(n) < chances["noise"], rng.uniform(0, 40, n), 0).astype(np.float32)
    hu = hu + rng.standard_normal(hu.shape, np.float32) * sigma[:, None, None, None]
    changed = rng.random(n) < chances["intensity"]
    gain, offset = np.where(changed, [rng.normal(1, 0.02, n), rng.normal(0, 15, n)], [[1.0], [0.0]])
    hu = hu * gain[:, None, None, None].astype(np.float32) + offset[:, None, None, None].astype(np.float32)
    for i in np.flatnonzero(rng.random(n) < chances["kernel"] / 2):
        soft = ndimage.gaussian_filter(hu[i], (0, 0.7, 0.7))
        hu[i] += (soft - hu[i]) * rng.uniform(-0.8, 0.9)
    return np.asarray(hu, np.float32)


class OutlineBatches:
    """Random batches: inputs (n, w, w, channels); targets (n, w, w, 3): votes, majority, weight."""

    def __init__(self, data: Slabs, chances: Chances = USUAL, *, made_up: float = 0.36) -> None:
        self.data, self.chances = data, chances
        chance = np.where(data.real, data.weight, 0)
        near = ~data.real
        chance = chance / chance.sum() * (1 - made_up) + near / near.sum() * made_up
        self.total = np.cumsum(chance / chance.sum())

    def draw(self, rng: Rng, count: int) -> tuple[FloatArray, FloatArray]:
        data = self.data
        index = np.minimum(np.searchsorted(self.total, rng.random(count)), len(self.total) - 1)
        rows, cols = turned_grids(rng, data.center[index], SHIFT_PX, self.chances)
        hu = sampled(data.hu[neighbours(data, index, rng)], rows, cols)
        votes = sampled(data.votes[index][:, None], rows, cols)[:, 0] / 255
        inside = np.ones((count, 1, 1), np.float32) * data.weight[index][:, None, None]
        spacing = data.spacing[index]
        off = data.off[index] + rng.normal(0, DEPTH_JITTER_MM, count)
        x = outline_input(other_scanner(rng, hu, self.chances), spacing, off)
        y = np.stack(
            [votes, (votes >= 0.499).astype(np.float32), np.broadcast_to(inside, votes.shape)], axis=-1
        )
        return x, np.asarray(y, np.float32)
