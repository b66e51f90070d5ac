"""Slabs of five native slices around an outlined slice, shifted, turned and scaled: the outline network's
school."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.preprocessing import OUTLINE_SLICES, OUTLINE_WINDOW, slab_input
from inference.cnn.training.bank import _without_nodule
from inference.cnn.training.lidc import LidcNodule

Rng = np.random.Generator
FloatArray = NDArray[np.float32]
BEYOND = 4
READER_WEIGHT = {1: 0.45, 2: 0.7, 3: 1.0, 4: 1.0}


@dataclass(frozen=True)
class Slabs:
    """All stacks of a split one after the other, each with BEYOND made-up slices before and after.

    `hu` int16 and `votes` uint8 (255 = every reader) are (n, 64, 64); `first` and `last` bound the real
    slices of
    the stack that slice i belongs to; `real` tells real slices from made-up ones.
    """

    hu: NDArray[np.int16]
    votes: NDArray[np.uint8]
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    real: NDArray[np.bool_]
    center: NDArray[np.float32]
    spacing: NDArray[np.float32]
    weight: NDArray[np.float32]


def _beyond(nodule: LidcNodule, edge: int, rng: Rng) -> list[NDArray[np.float32]]:
    base = _without_nodule(nodule.hu[edge].astype(np.float32), nodule.votes[edge], rng)
    drift, slices = rng.normal(0, 0.5, 2), []
    for i in range(1, BEYOND + 1):
        moved = ndimage.shift(base, drift * i, order=1, mode="nearest")
        slices.append(moved + ndimage.gaussian_filter(rng.normal(0, 20, base.shape), 0.6))
    return slices


def middle(nodule: LidcNodule) -> NDArray[np.float64]:
    """Row and column of the consensus outline's centre."""
    at = np.argwhere(nodule.votes >= 0.5)
    return np.asarray((at if len(at) else np.argwhere(nodule.votes > 0)).mean(axis=0)[1:])


def slabs(nodules: list[LidcNodule], seed: int) -> Slabs:
    """Every nodule of a split; those that the 64 x 64 window cuts are left out."""
    rng = np.random.default_rng(seed)
    hu, votes, first, last, real, center, spacing, weight = [], [], [], [], [], [], [], []
    at = 0
    for nodule in (n for n in nodules if not n.cut):
        n = nodule.hu.shape[0]
        before, after = _beyond(nodule, 0, rng)[::-1], _beyond(nodule, -1, rng)
        hu.append(np.concatenate([before, nodule.hu, after]).round().astype(np.int16))
        votes.append(np.pad(np.rint(nodule.votes * 255).astype(np.uint8), ((BEYOND, BEYOND), (0, 0), (0, 0))))
        total = n + 2 * BEYOND
        first.append(np.full(total, at + BEYOND))
        last.append(np.full(total, at + BEYOND + n - 1))
        real.append(np.r_[np.zeros(BEYOND, bool), np.ones(n, bool), np.zeros(BEYOND, bool)])
        center.append(np.tile(middle(nodule), (total, 1)))
        spacing.append(np.tile([nodule.spacing_mm[0], nodule.spacing_mm[1]], (total, 1)))
        weight.append(np.full(total, READER_WEIGHT[min(len(nodule.masks), 4)]))
        at += total
    joined = [np.concatenate(v) for v in (hu, votes, first, last, real, center, spacing, weight)]
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
    rng: Rng, center: NDArray[np.float32], shift: float, plain: float
) -> tuple[FloatArray, FloatArray]:
    """Source rows and columns (n, w, w) of windows turned, mirrored, scaled and moved about each centre."""
    n, w = len(center), OUTLINE_WINDOW
    angle = np.where(rng.random(n) < plain, rng.integers(0, 4, n) * np.pi / 2, rng.uniform(0, 2 * np.pi, n))
    scale = np.where(rng.random(n) < plain, 1.0, np.exp(rng.normal(0, 0.12, n)))
    mirror = rng.choice([-1.0, 1.0], n)
    grid = np.arange(w, dtype=np.float32) - (w - 1) / 2
    u, v = np.meshgrid(grid, grid, indexing="ij")
    move = rng.uniform(-shift, shift, (n, 2))
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


def other_scanner(rng: Rng, hu: FloatArray) -> FloatArray:
    """Noise, offset and gain, blur or sharpening of whole slabs (n, k, w, w)."""
    n = len(hu)
    sigma = np.where(rng.random(n) < 0.5, 0, rng.uniform(0, 40, n)).astype(np.float32)
    hu = hu + rng.standard_normal(hu.shape, np.float32) * sigma[:, None, None, None]
    gain, offset = rng.normal(1, 0.02, n), rng.normal(0, 15, n)
    hu = hu * gain[:, None, None, None].astype(np.float32) + offset[:, None, None, None].astype(np.float32)
    for i in np.flatnonzero(rng.random(n) < 0.2):
        soft = ndimage.gaussian_filter(hu[i], (0, 0.7, 0.7))
        hu[i] += (soft - hu[i]) * rng.uniform(-0.8, 0.9)
    return np.asarray(hu, np.float32)


class OutlineBatches:
    """Random batches: inputs (n, w, w, channels); targets (n, w, w, 3): votes, majority, weight."""

    def __init__(self, data: Slabs, *, shift: float = 12.0, made_up: float = 0.15) -> None:
        self.data, self.shift = data, shift
        chance = np.where(data.real, data.weight, 0)
        near = ~data.real
        chance = chance / chance.sum() * (1 - made_up) + near / near.sum() * made_up
        self.total = np.cumsum(chance / chance.sum())

    def draw(self, rng: Rng, count: int) -> tuple[FloatArray, FloatArray]:
        data = self.data
        index = np.minimum(np.searchsorted(self.total, rng.random(count)), len(self.total) - 1)
        rows, cols = turned_grids(rng, data.center[index], self.shift, 0.3)
        hu = sampled(data.hu[neighbours(data, index, rng)], rows, cols)
        votes = sampled(data.votes[index][:, None], rows, cols)[:, 0] / 255
        inside = np.ones((count, 1, 1), np.float32) * data.weight[index][:, None, None]
        spacing = data.spacing[index]
        x = slab_input(other_scanner(rng, hu), spacing)
        y = np.stack(
            [votes, (votes >= 0.499).astype(np.float32), np.broadcast_to(inside, votes.shape)], axis=-1
        )
        return x, np.asarray(y, np.float32)
