"""Other scanners: kernel, dose, offset and slice thickness, simulated on HU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.float32]
THICKNESSES_MM = (2.5, 3.0, 4.0, 5.0)


def thicker(hu: FloatArray, step_mm: float, thickness_mm: float, phase: int) -> FloatArray:
    """As if sliced `thickness_mm` apart: averaged along z, every k-th slice kept, linear between."""
    k = max(round(thickness_mm / step_mm), 1)
    averaged = ndimage.uniform_filter1d(hu, k, axis=0)
    kept = np.arange(phase % k, hu.shape[0], k)
    z = np.clip(np.arange(hu.shape[0]), kept[0], kept[-1])
    low = np.clip(np.searchsorted(kept, z, side="right") - 1, 0, max(len(kept) - 2, 0))
    high = np.minimum(low + 1, len(kept) - 1)
    part = ((z - kept[low]) / k).astype(np.float32)[:, None, None]
    return np.asarray(averaged[kept[low]] * (1 - part) + averaged[kept[high]] * part, np.float32)


def kernel(rng: np.random.Generator, hu: FloatArray) -> FloatArray:
    """Softer, or sharper with bright rims."""
    amount = rng.uniform(-1, 1)
    if abs(amount) < 0.3:
        return hu
    soft = ndimage.gaussian_filter(hu, 0.7)
    return np.asarray(
        hu + (soft - hu) * amount if amount > 0 else hu + (hu - soft) * (-0.8 * amount), np.float32
    )


def noise(rng: np.random.Generator, hu: FloatArray, step_mm: float) -> FloatArray:
    """Gaussian, white or coarse, up to 45 HU at 1.25 mm."""
    sigma = rng.uniform(0, 45) * min(1.25 / step_mm, 1.25)
    grain = rng.standard_normal(hu.shape, np.float32)
    if rng.random() < 0.4:
        grain = ndimage.gaussian_filter(grain, 0.6) * 2.2
    return np.asarray(hu + sigma * grain, np.float32)


def vary(rng: np.random.Generator, hu: FloatArray, step_mm: float) -> FloatArray:
    """One random scanner; nothing is done to one patch in five."""
    if rng.random() < 0.2:
        return hu
    if rng.random() < 0.6:
        hu = kernel(rng, hu)
    if rng.random() < 0.35:
        hu = thicker(hu, step_mm, float(rng.choice(THICKNESSES_MM)), int(rng.integers(8)))
    if rng.random() < 0.6:
        hu = noise(rng, hu, step_mm)
    return np.asarray(hu * rng.uniform(0.96, 1.04) + rng.normal(0, 20), np.float32)
