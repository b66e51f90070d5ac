"""Smooth random fields: the mottle of tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]


class SmoothField:
    """A random field of unit variance and about `scale_mm` grain, drawn once and read slice by slice."""

    def __init__(
        self, rng: np.random.Generator, scale_mm: float, size: int, pixel_mm: float, height_mm: float
    ) -> None:
        side = int(np.ceil(size * pixel_mm / scale_mm)) + 3
        self._scale, self._size, self._pixel = scale_mm, size, pixel_mm
        self._coarse = rng.normal(0, 1.6, (int(np.ceil(height_mm / scale_mm)) + 3, side, side)).astype(
            np.float32
        )

    def at(self, height_mm: float) -> Array:
        """The field (y, x) at one height."""
        place = height_mm / self._scale
        low = int(place)
        share = place - low
        plane = self._coarse[low] * (1 - share) + self._coarse[low + 1] * share
        plane = plane / np.hypot(share, 1 - share)
        extent = self._size * self._pixel / self._scale
        image = Image.fromarray(np.asarray(plane, np.float32))
        box = (1.0, 1.0, 1.0 + extent, 1.0 + extent)
        return np.asarray(image.resize((self._size, self._size), Image.Resampling.BICUBIC, box), np.float32)
