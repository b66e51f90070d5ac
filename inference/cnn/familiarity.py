"""Whether a scan looks like those of the training: acquisition, coverage, grey values of the lungs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.location import LungSpace
from inference.cnn.reading import Unfamiliar
from inference.cnn.resampling import sample_grid
from scans.dicom.geometry import Triple

GRID_MM = 1.25
SLICES = 16
EDGE_MM = 5.0
AIRY_HU = -700
NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], float)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Range:
    """What was seen in training, widened, with the sentences for what lies below and above."""

    code: str
    low: float
    high: float
    below: str
    above: str

    def judge(self, value: float) -> Iterator[Unfamiliar]:
        if value < self.low:
            yield Unfamiliar(self.code, self.below, value, self.low, self.high)
        elif value > self.high:
            yield Unfamiliar(self.code, self.above, value, self.low, self.high)


# Measured by `python -m inference.cnn.training.ranges` on the train split (2026-11-21): lungs of the seven
# whole scans, widened by 50 HU (100 HU for the dense end, which depends on vessels and disease); noise: 99th
# percentile of 1,194 wide LIDC slices (the whole scans have at most 32 HU); spacings: those of the LIDC
# nodules, rounded.
GREY = (
    Range(
        "U_AIR",
        -1000.0,
        -750.0,
        "The lungs hold more air than in any training scan.",
        "The lungs hold less air than in any training scan.",
    ),
    Range(
        "U_LUNG",
        -946.0,
        -670.0,
        "The lungs are darker than in any training scan.",
        "The lungs are denser than in any training scan.",
    ),
    Range(
        "U_DENSE",
        -852.0,
        -300.0,
        "The lungs hold fewer vessels than in any training scan.",
        "The lungs hold more dense tissue than in any training scan.",
    ),
)
NOISE = Range("U_NOISE", 0.0, 66.0, "", "The images are noisier than 99 of 100 training slices.")
SPACING = (
    Range(
        "U_SLICES",
        0.5,
        5.0,
        "The slices lie closer than in any training scan.",
        "The slices lie further apart than those of any nodule in training.",
    ),
    Range(
        "U_PIXELS",
        0.4,
        1.0,
        "The pixels are finer than in any training scan.",
        "The pixels are coarser than those of any nodule in training.",
    ),
)
NO_LUNGS = Unfamiliar(
    "U_NOLUNGS", "No lungs were found; the networks know nothing but chests.", 0.0, 1.0, 2.0
)
CUT = "The scan ends within a lung; what lies beyond was not seen."


@dataclass(frozen=True)
class GreyValues:
    """HU within the lungs, 5 mm off their border: 5th, 50th, 95th percentile; noise as standard deviation."""

    quantiles: tuple[float, float, float]
    noise_hu: float


def noise_of(plane: NDArray[np.floating], inside: Mask) -> float | None:
    """Standard deviation of the noise in the airy part of a slice (Immerkaer, CVIU 64:300, 1996)."""
    airy = inside & (plane < AIRY_HU)
    if airy.sum() < 100:
        return None
    answer = ndimage.convolve(np.asarray(plane, float), NOISE_MASK)[airy]
    return float(np.median(np.abs(answer)) / 0.6745 / 6)


def grey_values(hu: NDArray[np.int16], lungs: Mask, spacing_mm: Triple) -> GreyValues | None:
    """Of up to SLICES slices, each with pixels of GRID_MM as the training scans; None without lungs."""
    held = np.flatnonzero(lungs.any(axis=(1, 2)))
    if not len(held):
        return None
    chosen = np.unique(held[np.linspace(0, len(held) - 1, SLICES + 2).astype(int)[1:-1]])
    planes, insides = _on_grid(hu[chosen], lungs[chosen], spacing_mm)
    if insides.sum() < 100:
        return None
    low, middle, high = (float(v) for v in np.percentile(planes[insides], [5, 50, 95]))
    noise = [noise_of(plane, inside) for plane, inside in zip(planes, insides, strict=True)]
    known = [one for one in noise if one is not None]
    return GreyValues((low, middle, high), float(np.median(known)) if known else 0.0)


def _on_grid(hu: NDArray[np.int16], lungs: Mask, spacing_mm: Triple) -> tuple[NDArray[np.float32], Mask]:
    """Slices with pixels of GRID_MM, each by itself, and their lungs without the outer EDGE_MM."""
    steps = (1.0, spacing_mm[1], spacing_mm[2])
    rows, columns = (int((n - 1) * s / GRID_MM) + 1 for n, s in zip(hu.shape[1:], steps[1:], strict=True))
    first, shape, grid = (0.0, 0.0, 0.0), (hu.shape[0], rows, columns), (1.0, GRID_MM, GRID_MM)
    planes = sample_grid(hu, steps, first, shape, grid)
    insides = sample_grid(lungs, steps, first, shape, grid, smooth=False) >= 0.5
    padded = np.pad(insides, ((0, 0), (1, 1), (1, 1)))
    depth = np.stack([ndimage.distance_transform_edt(p, sampling=GRID_MM) for p in padded])
    return planes, np.asarray(depth[:, 1:-1, 1:-1] > EDGE_MM)


def unfamiliar(space: LungSpace) -> tuple[Unfamiliar, ...]:
    """Everything in which a scan lies outside the training data; empty for an ordinary chest CT."""
    found = grey_values(space.hu, space.both, space.spacing_mm)
    if found is None:
        return (NO_LUNGS,)
    flags = [flag for one, value in zip(GREY, found.quantiles, strict=True) for flag in one.judge(value)]
    flags += NOISE.judge(found.noise_hu)
    flags += [f for one, value in zip(SPACING, space.spacing_mm[:2], strict=True) for f in one.judge(value)]
    whole = sum(height is not None for height in space.heights)
    if whole < 2:
        flags.append(Unfamiliar("U_CUT", CUT, float(whole), 2.0, 2.0))
    return tuple(flags)
