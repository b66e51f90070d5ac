"""Where a nodule may be: a fully convolutional network over the lungs, tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.networks import Network
from inference.cnn.preprocessing import (
    CANDIDATES_STEP_MM,
    CANDIDATES_STRIDE,
    candidates_input,
)
from inference.cnn.resampling import isotropic, sample_grid
from scans.dicom.geometry import Triple

# The network's coarsest stride; what it is shown is a multiple of it along each axis.
DEEPEST = 16
# Candidates lie at most so many voxels beside the lungs' box.
BESIDE = 16
# Voxels shown about each part whose cells are not used: a rim that cuts through lung (z) has to be wider.
MARGIN = (16, 8, 8)
SLAB_VOXELS = 10_000_000
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


@dataclass(frozen=True)
class Slab:
    """A part of the lungs' box, in voxels: first and last + 1 along z, y, x; multiples of DEEPEST."""

    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @property
    def cells(self) -> tuple[slice, ...]:
        """Where its cells lie in the heat map."""
        bounds = zip(self.low, self.high, strict=True)
        return tuple(slice(a // CANDIDATES_STRIDE, b // CANDIDATES_STRIDE) for a, b in bounds)


def slabs(lungs: NDArray[np.bool_]) -> list[Slab]:
    """The lungs' box with BESIDE about it, cut across z so that no part holds more than SLAB_VOXELS.

    One pass over a large part costs far less than small tiles, whose margins are most of what they hold.
    """
    low, high = [], []
    for axis, length in enumerate(lungs.shape):
        line = np.flatnonzero(lungs.any(axis=tuple(a for a in range(3) if a != axis)))
        low.append(max(int(line[0]) - BESIDE, 0) // DEEPEST * DEEPEST)
        last = min(int(line[-1]) + 1 + BESIDE, length)
        high.append(low[-1] + -(-(last - low[-1]) // DEEPEST) * DEEPEST)
    plane = (high[1] - low[1]) * (high[2] - low[2])
    rows = (high[0] - low[0]) // DEEPEST
    parts = min(-(-rows * DEEPEST * plane // SLAB_VOXELS), rows)
    cuts = [low[0] + rows * k // parts * DEEPEST for k in range(parts + 1)]
    return [Slab((a, low[1], low[2]), (b, high[1], high[2])) for a, b in pairwise(cuts)]


def _with_margin(hu: FloatArray, slab: Slab) -> FloatArray:
    """Values of the slab and MARGIN voxels on every side; beyond the volume its edge repeats."""
    index = [
        np.clip(np.arange(a - m, b + m), 0, n - 1)
        for a, b, n, m in zip(slab.low, slab.high, hu.shape, MARGIN, strict=True)
    ]
    return np.asarray(hu[np.ix_(*index)], np.float32)


def heat_map(hu: FloatArray, lungs: NDArray[np.bool_], network: Network, progress: Progress) -> FloatArray:
    """(cells z, y, x, 5) over the whole 1.25 mm volume: logit, offset in cells, log diameter."""
    parts = slabs(lungs) if lungs.any() else []
    end = parts[-1].high if parts else (0, 0, 0)
    room = [
        max(n + CANDIDATES_STRIDE - 1, last) // CANDIDATES_STRIDE
        for n, last in zip(hu.shape, end, strict=True)
    ]
    out = np.full((*room, 5), -20, np.float32)
    used = tuple(slice(m // CANDIDATES_STRIDE, -m // CANDIDATES_STRIDE) for m in MARGIN)
    for done, slab in enumerate(parts, 1):
        result = network(candidates_input(_with_margin(hu, slab))[None])[0]
        out[slab.cells] = result[used]
        progress(done / len(parts))
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
    found = []
    for place, diameter, score in peaks(heat, limits):
        if _near(inside, place, max(BESIDE_LUNG_MM, 0.3 * diameter)):
            z, y, x = (float(v) for v in place * CANDIDATES_STEP_MM + offset)
            found.append(Candidate((z, y, x), diameter, score))
    return distinct(found)


def _near(lungs: NDArray[np.bool_], place: NDArray[np.float64], reach_mm: float) -> bool:
    """Whether a voxel of the lungs lies within reach of a place on the network's grid."""
    at = np.clip(np.rint(place), 0, np.array(lungs.shape) - 1).astype(int)
    reach = reach_mm / CANDIDATES_STEP_MM
    low, high = np.maximum(at - int(reach), 0), at + int(reach) + 1
    near = np.argwhere(lungs[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]) + low - at
    return bool(len(near) and (near**2).sum(axis=1).min() <= reach**2)


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
