"""Shape and density of one outlined nodule as numbers, for the malignancy rating."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.measures import measure
from scans.dicom.geometry import Geometry, Triple

FEATURES = 30
MARGIN_MM = 8.0

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float32]


def _spread(mask: Mask, spacing_mm: Triple) -> NDArray[np.float64]:
    """Extent along the three principal axes in mm, largest first (4 standard deviations)."""
    points = np.argwhere(mask) * np.asarray(spacing_mm)
    least = min(spacing_mm)
    if len(points) < 4:
        return np.full(3, least)
    values = np.linalg.eigvalsh(np.cov(points.T))[::-1]
    return np.asarray(4 * np.sqrt(np.maximum(values, 0.02 * least**2)))


def _surface_mm2(mask: Mask, spacing_mm: Triple) -> float:
    """Voxel faces between inside and outside, times 2/3 (the mean excess of a stepped ball)."""
    volume, total = float(np.prod(spacing_mm)), 0.0
    for axis in range(3):
        faces = int(np.count_nonzero(np.diff(np.pad(mask, 1).astype(np.int8), axis=axis)))
        total += faces * volume / spacing_mm[axis]
    return total * 2 / 3


def _perimeter(plane: Mask, pixel_mm: float) -> float:
    """Pixel edges between inside and outside, times pi/4 (the mean excess of a stepped circle)."""
    padded = np.pad(plane, 1).astype(np.int8)
    edges = sum(int(np.count_nonzero(np.diff(padded, axis=a))) for a in range(2))
    return edges * pixel_mm * np.pi / 4


def _shape(mask: Mask, spacing_mm: Triple) -> list[float]:
    """Size and form: logarithms of millimetres, ratios of axes, roundness in the plane and in space."""
    volume = float(mask.sum()) * float(np.prod(spacing_mm))
    ball = (6 * volume / np.pi) ** (1 / 3)
    axes = _spread(mask, spacing_mm)
    areas = mask.sum(axis=(1, 2))
    plane = mask[int(np.argmax(areas))]
    area = float(areas.max()) * spacing_mm[1] * spacing_mm[2]
    shape = (mask.shape[0], mask.shape[1], mask.shape[2])
    drawn = measure(mask, Geometry(shape, spacing_mm, (0.0, 0.0, 0.0)))
    long_mm, short_mm = max(drawn.long_axis_mm, 0.3), max(drawn.short_axis_mm, 0.3)
    distance = ndimage.distance_transform_edt(np.pad(plane, 1), sampling=spacing_mm[1:])
    return [
        np.log(ball),
        np.log(axes[0]),
        np.log(axes[2]),
        axes[1] / axes[0],
        axes[2] / axes[0],
        np.pi * ball**2 / max(_surface_mm2(mask, spacing_mm), 1e-3),
        np.log(area),
        np.log(long_mm),
        np.log(short_mm),
        short_mm / long_mm,
        4 * np.pi * area / max(_perimeter(plane, spacing_mm[1]), 1e-3) ** 2,
        float(distance.max()) / max(np.sqrt(area / np.pi), 1e-3),
    ]


def _density(hu: FloatArray, mask: Mask) -> list[float]:
    """HU inside, and how much of it is calcium, soft tissue or haze."""
    inside = hu[mask].astype(np.float64)
    low, middle, high, top = np.percentile(inside, [10, 50, 90, 98])
    return [
        inside.mean() / 300,
        inside.std() / 300,
        low / 300,
        middle / 300,
        high / 300,
        top / 300,
        float((inside > 130).mean()),
        float((inside > 250).mean()),
        float((inside < -300).mean()),
        float((inside < -600).mean()),
    ]


def _rim(hu: FloatArray, mask: Mask, spacing_mm: Triple) -> list[float]:
    """How sharp and how even the border is, and what lies around it."""
    depth = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    beyond = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    core = hu[depth > min(2.0, float(depth.max()) / 2)]
    shells = [
        hu[mask & (depth <= 1.5)],
        hu[(beyond > 0) & (beyond <= 2.0)],
        hu[(beyond > 2.0) & (beyond <= 5.0)],
    ]
    edge, near, wide = (s if s.size else np.array([-850.0]) for s in shells)
    slope = np.hypot(*np.gradient(hu, axis=(1, 2)))[(beyond > 0) & (beyond <= 1.5)] / spacing_mm[1]
    return [
        (float(core.mean()) if core.size else float(hu[mask].mean())) / 300,
        float(edge.mean()) / 300,
        float(near.mean()) / 300,
        float(near.std()) / 300,
        float(np.percentile(wide, 25)) / 300,
        float((wide > -300).mean()),
        float(slope.mean()) / 300 if slope.size else 0.0,
        float(slope.std()) / 300 if slope.size else 0.0,
    ]


def nodule_features(hu: FloatArray, mask: Mask, spacing_mm: Triple) -> FloatArray:
    """FEATURES numbers of order one: size, form, density inside, the rim, the surroundings.

    `hu` and `mask` (z, y, x) with MARGIN_MM around the nodule; an empty mask counts as its middle voxel.
    """
    if not mask.any():
        mask = np.zeros(hu.shape, bool)
        mask[tuple(n // 2 for n in hu.shape)] = True
    values = [*_shape(mask, spacing_mm), *_density(hu, mask), *_rim(hu, mask, spacing_mm)]
    return np.clip(np.asarray(values, np.float32), -10, 10)
