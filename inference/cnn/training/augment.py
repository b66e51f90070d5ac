"""Other scanners: kernel, dose, offset and slice thickness, simulated on HU."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.float32]
Chances = Mapping[str, float]
# How often each variation is made unless a configuration says otherwise.
USUAL: Chances = MappingProxyType(
    {
        "flip": 0.5,
        "rotate": 0.7,
        "scale": 0.7,
        "shift": 1.0,
        "noise": 0.5,
        "kernel": 0.4,
        "thickness": 0.28,
        "intensity": 0.8,
        "copy_paste": 0.62,
    }
)
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


def chances_of(given: Chances) -> Chances:
    """The usual chances, with those of a configuration in their place."""
    return {**USUAL, **given}


def vary(rng: np.random.Generator, hu: FloatArray, step_mm: float, chances: Chances = USUAL) -> FloatArray:
    """One random scanner."""
    if rng.random() < chances["kernel"]:
        hu = kernel(rng, hu)
    if rng.random() < chances["thickness"]:
        hu = thicker(hu, step_mm, float(rng.choice(THICKNESSES_MM)), int(rng.integers(8)))
    if rng.random() < chances["noise"]:
        hu = noise(rng, hu, step_mm)
    if rng.random() < chances["intensity"]:
        hu = hu * rng.uniform(0.96, 1.04) + rng.normal(0, 20)
    return np.asarray(hu, np.float32)
