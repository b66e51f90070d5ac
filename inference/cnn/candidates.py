"""Where a nodule may be: a fully convolutional network over the lungs, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.networks import Network
from inference.cnn.preprocessing import (
    CANDIDATES_STEP_MM,
    CANDIDATES_STRIDE,
    CANDIDATES_TILE,
    candidates_input,
)
from inference.cnn.resampling import isotropic, sample_grid
from scans.dicom.geometry import Triple

MARGIN = 16
BESIDE_LUNG_MM = 6.0

FloatArray = NDArray[np.float32]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Candidate:
    """Place in mm along the array axes (z, y, x) from the centre of voxel 0, size and score 0..1."""

    zyx_mm: Triple
    diameter_mm: float
    score: float


@dataclass(frozen=True)
class Limits:
    """What counts as a candidate: lowest score, and how many at most."""

    score: float
    count: int


def _starts(length: int) -> list[int]:
    """First voxels of tiles whose middles (without the margin) cover 0..length."""
    step = CANDIDATES_TILE[0] - 2 * MARGIN
    return list(range(-MARGIN, max(length - MARGIN, 1 - MARGIN), step))


def _tiles(lungs: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """Tiles whose middle holds some lung."""
    step = CANDIDATES_TILE[0] - 2 * MARGIN
    for z in _starts(lungs.shape[0]):
        for y in _starts(lungs.shape[1]):
            for x in _starts(lungs.shape[2]):
                low = [v + MARGIN for v in (z, y, x)]
                if lungs[tuple(slice(v, v + step) for v in low)].any():
                    yield z, y, x


def _tile(hu: FloatArray, start: tuple[int, int, int]) -> FloatArray:
    index = [
        np.clip(np.arange(s, s + n), 0, m - 1)
        for s, n, m in zip(start, CANDIDATES_TILE, hu.shape, strict=True)
    ]
    return np.asarray(hu[np.ix_(*index)], np.float32)


def heat_map(hu: FloatArray, lungs: NDArray[np.bool_], network: Network, progress: Progress) -> FloatArray:
    """(cells z, y, x, 5) over the whole 1.25 mm volume: logit, offset in cells, log diameter."""
    cells = [-(-n // CANDIDATES_STRIDE) + CANDIDATES_TILE[0] // CANDIDATES_STRIDE for n in hu.shape]
    out = np.full((*cells, 5), -20, np.float32)
    edge, inner = MARGIN // CANDIDATES_STRIDE, (CANDIDATES_TILE[0] - 2 * MARGIN) // CANDIDATES_STRIDE
    tiles = list(_tiles(lungs))
    for done, start in enumerate(tiles, 1):
        result = network(candidates_input(_tile(hu, start))[None])[0]
        first = [(s + MARGIN) // CANDIDATES_STRIDE for s in start]
        where = tuple(slice(f, f + inner) for f in first)
        out[where] = result[edge : edge + inner, edge : edge + inner, edge : edge + inner]
        progress(done / len(tiles))
    return out


def peaks(heat: FloatArray, limits: Limits) -> list[tuple[NDArray[np.float64], float, float]]:
    """(voxel z, y, x on the fine grid; diameter mm; score) of local maxima, best first."""
    score = 1 / (1 + np.exp(-heat[..., 0]))
    top = (score == ndimage.maximum_filter(score, 3)) & (score >= limits.score)
    at = np.argwhere(top)
    order = np.argsort(-score[tuple(at.T)], kind="stable")[: limits.count]
    middle = (CANDIDATES_STRIDE - 1) / 2
    found = []
    for cell in at[order]:
        values = heat[tuple(cell)]
        place = (cell + np.clip(values[1:4], -3, 3)) * CANDIDATES_STRIDE + middle
        diameter = float(np.clip(np.exp(np.clip(values[4], 0, 5)), 2, 120))
        found.append((place, diameter, float(score[tuple(cell)])))
    return found


def distinct(found: list[Candidate]) -> list[Candidate]:
    """Without those that lie within the half diameter of a better one."""
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda c: -c.score):
        near = (
            np.linalg.norm(np.subtract(one.zyx_mm, other.zyx_mm)) < max(4.0, 0.5 * other.diameter_mm)
            for other in kept
        )
        if not any(near):
            kept.append(one)
    return kept


def find_candidates(
    hu: NDArray[np.int16],
    spacing_mm: Triple,
    lungs: NDArray[np.bool_],
    network: Network,
    limits: Limits,
    progress: Progress,
) -> list[Candidate]:
    """Candidates in or close beside the lungs of a volume in standard axis order, best first."""
    if not lungs.any():
        return []
    box, offset = _around(lungs, spacing_mm)
    volume = isotropic(hu[box], spacing_mm, CANDIDATES_STEP_MM)
    inside = _lungs_at(lungs[box], spacing_mm, volume.shape)
    heat = heat_map(volume, inside, network, progress)
    beside = ndimage.distance_transform_edt(~inside) * CANDIDATES_STEP_MM
    found = []
    for place, diameter, score in peaks(heat, limits):
        at = tuple(np.clip(np.rint(place), 0, np.array(volume.shape) - 1).astype(int))
        if beside[at] <= max(BESIDE_LUNG_MM, 0.3 * diameter):
            z, y, x = (float(v) for v in place * CANDIDATES_STEP_MM + offset)
            found.append(Candidate((z, y, x), diameter, score))
    return distinct(found)


def _around(lungs: NDArray[np.bool_], spacing_mm: Triple) -> tuple[tuple[slice, ...], NDArray[np.float64]]:
    """The lungs' box with 20 mm about it, and where it begins in mm."""
    low, high = [], []
    for axis in range(3):
        line = np.flatnonzero(lungs.any(axis=tuple(a for a in range(3) if a != axis)))
        margin = int(np.ceil(20 / spacing_mm[axis]))
        low.append(max(int(line[0]) - margin, 0))
        high.append(int(line[-1]) + margin + 1)
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True)), np.multiply(low, spacing_mm)


def _lungs_at(lungs: NDArray[np.bool_], spacing_mm: Triple, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The lung mask on the network's grid (nearest voxel)."""
    index = [
        np.minimum(np.rint(np.arange(n) * CANDIDATES_STEP_MM / s).astype(int), m - 1)
        for n, s, m in zip(shape, spacing_mm, lungs.shape, strict=True)
    ]
    return np.asarray(lungs[np.ix_(*index)], bool)


def patch_at(
    hu: NDArray[np.int16], spacing_mm: Triple, zyx_mm: Triple, size: int, step_mm: float
) -> FloatArray:
    """Cube of `size` voxels of `step_mm` around a place; voxel size // 2 lies on it."""
    z, y, x = (v - size // 2 * step_mm for v in zyx_mm)
    return sample_grid(hu, spacing_mm, (z, y, x), (size, size, size), (step_mm, step_mm, step_mm))
