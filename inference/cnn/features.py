"""Shape and density of one outlined nodule as numbers, for the malignancy rating."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FEATURES = 18


def _spread(points: NDArray[np.float64], step_mm: float) -> NDArray[np.float64]:
    """Extent along the three principal axes in mm, largest first (4 standard deviations)."""
    if len(points) < 4:
        return np.full(3, step_mm)
    values = np.linalg.eigvalsh(np.cov(points.T))[::-1]
    return np.asarray(4 * np.sqrt(np.maximum(values, 0.02)) * step_mm)


def _surface_mm2(mask: NDArray[np.bool_], step_mm: float) -> float:
    """Voxel faces between inside and outside, times 2/3 (the mean excess of a stepped ball)."""
    faces = sum(int(np.count_nonzero(np.diff(mask.astype(np.int8), axis=a))) for a in range(3))
    return max(faces, 1) * step_mm**2 * 2 / 3


def nodule_features(hu: NDArray[np.float32], mask: NDArray[np.bool_], step_mm: float) -> NDArray[np.float32]:
    """FEATURES numbers of order one: size, form, density inside, the rim, the surroundings."""
    if not mask.any():
        mask = np.zeros(hu.shape, bool)
        mask[tuple(n // 2 for n in hu.shape)] = True
    inside = hu[mask].astype(np.float64)
    volume = mask.sum() * step_mm**3
    ball = (6 * volume / np.pi) ** (1 / 3)
    axes = _spread(np.argwhere(mask).astype(float), step_mm)
    flat = mask.sum(axis=(1, 2)).max() * step_mm**2
    depth = ndimage.distance_transform_edt(mask) * step_mm
    beyond = ndimage.distance_transform_edt(~mask) * step_mm
    core, rim = hu[depth > min(2.0, depth.max() / 2)], hu[mask & (depth <= 1.5 * step_mm)]
    near, wide = hu[(beyond > 0) & (beyond <= 2.5)], hu[(beyond > 2.5) & (beyond <= 7)]
    quarters = np.percentile(inside, [10, 50, 90])
    values = [
        np.log(ball),
        np.log(axes[0]),
        np.log(axes[2]),
        axes[1] / axes[0],
        axes[2] / axes[0],
        np.pi * ball**2 / _surface_mm2(mask, step_mm),
        np.log(flat),
        inside.mean() / 300,
        inside.std() / 300,
        *(quarters / 300),
        (core.mean() if core.size else inside.mean()) / 300,
        rim.mean() / 300,
        (near.mean() if near.size else -850) / 300,
        (np.percentile(wide, 25) if wide.size else -850) / 300,
        (wide > -300).mean() if wide.size else 0.0,
        (inside > 200).mean(),
    ]
    return np.asarray(values, np.float32)
