"""Solid, part-solid or non-solid, by the Hounsfield units inside an outline; and the solid part."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.measures import Measures, measure
from inference.cnn.reading import NoduleType, SolidPart
from scans.dicom.geometry import Geometry, Triple

SOLID_HU = -350
SMALLEST_SOLID_VOXELS = 4
FILLED_SHARE = 0.65
HELD_SHARE, HELD_MM3 = 0.05, 30.0
TYPES: tuple[NoduleType, ...] = ("non_solid", "part_solid", "solid")
CLIP_LOW = (-900.0, -900.0, -900.0, 0.7)
CLIP_HIGH = (100.0, 100.0, 100.0, 3.6)
MIDDLE = (-500.0, -300.0, -100.0, 2.0)
SCALE = (200.0, 200.0, 200.0, 0.5)
WEIGHTS = (
    (-1.555, 0.610, -3.304, 0.491, 0.654, -0.056, -0.363, 0.448, -0.141),
    (0.298, 0.368, -1.579, -0.274, 0.558, -0.021, -0.574, 0.008, -0.035),
)
"""Logits of non-solid and part-solid against solid: constant, four values, their squares.

Logistic regression on the consensus outlines of the 1,668 LIDC nodules of the train split against the mean
texture rating (<= 2, between, >= 4; CLINICAL 8.1), classes weighted 3, 4, 1 because 82 of 100 are solid.
"""

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


def _inner(mask: Mask, spacing_mm: Triple) -> Mask:
    """Without the outermost millimetre of each slice, where it mixes with air, if anything remains."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    depth = np.stack([ndimage.distance_transform_edt(p, sampling=spacing_mm[1:]) for p in padded])
    return np.asarray(mask & (depth[:, 1:-1, 1:-1] > min(1.0, 0.5 * float(depth.max()))))


def density(hu: NDArray[np.generic], mask: Mask, spacing_mm: Triple) -> FloatArray:
    """10th, 50th and 90th percentile of the inner HU, and the logarithm of the equivalent diameter in mm."""
    inside = hu[_inner(mask, spacing_mm)].astype(float)
    volume = float(mask.sum()) * math.prod(spacing_mm)
    return np.array([*np.percentile(inside, [10, 50, 90]), math.log(6 * volume / math.pi) / 3])


def by_density(values: FloatArray) -> FloatArray:
    """Probability of each of TYPES from what `density` found."""
    scaled = (np.clip(values, CLIP_LOW, CLIP_HIGH) - MIDDLE) / SCALE
    terms = np.concatenate([[1.0], scaled, scaled**2])
    weighed = np.exp(np.array([*(np.asarray(WEIGHTS) @ terms), 0.0]))
    return np.asarray(weighed / weighed.sum())


def solid_tissue(hu: NDArray[np.generic], mask: Mask, spacing_mm: Triple) -> Mask:
    """The largest connected piece above SOLID_HU inside an outline, empty where there is none.

    After smoothing with 0.7 mm within the outline, so that noise makes none.
    """
    sigma = (0.0, 0.7 / spacing_mm[1], 0.7 / spacing_mm[2])
    share = ndimage.gaussian_filter(mask.astype(float), sigma)
    smooth = ndimage.gaussian_filter(np.where(mask, hu, 0).astype(float), sigma) / np.maximum(share, 1e-6)
    labels, count = ndimage.label(mask & (smooth > SOLID_HU))
    if not count:
        return np.zeros(mask.shape, bool)
    sizes = np.bincount(labels.ravel())[1:]
    piece = labels == int(np.argmax(sizes)) + 1
    return piece if sizes.max() >= SMALLEST_SOLID_VOXELS else np.zeros(mask.shape, bool)


def nodule_type(hu: NDArray[np.generic], mask: Mask, spacing_mm: Triple) -> NoduleType:
    """The most probable type by density.

    Two plain rules stand above it: what is all but filled by its solid part is solid, and what holds a
    solid part is no ground glass. A network's texture rating is not asked: with it the agreement with the
    readers did not grow (docs/models/character.md).
    """
    probability = by_density(density(hu, mask, spacing_mm))
    found = TYPES[int(np.argmax(probability))]
    if found == "solid":
        return found
    solid = solid_tissue(hu, mask, spacing_mm)
    if found == "part_solid" and _widest(solid) >= FILLED_SHARE * _widest(mask):
        return "solid"
    holds = solid.sum() >= HELD_SHARE * mask.sum() and solid.sum() * math.prod(spacing_mm) >= HELD_MM3
    return "part_solid" if found == "non_solid" and holds else found


def _widest(mask: Mask) -> int:
    """Voxels in the slice that holds most."""
    return int(mask.sum(axis=(1, 2)).max())


def solid_part(hu: NDArray[np.generic], mask: Mask, geometry: Geometry, whole: Measures) -> SolidPart | None:
    """The solid part, measured as the nodule is and never larger (CLINICAL 1.4); None where there is none."""
    tissue = solid_tissue(hu, mask, geometry.spacing_mm)
    if not tissue.any():
        return None
    found = measure(tissue, geometry)
    long = min(found.long_axis_mm, whole.long_axis_mm)
    short = min(found.short_axis_mm, whole.short_axis_mm, long)
    return SolidPart(long, short, (long + short) / 2)
