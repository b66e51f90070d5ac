"""What the scanner adds: blur, noise with the grain of a reconstruction kernel, the round field of view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from scans.dicom.phantom.anatomy import Array

OUTSIDE_HU = -1024
TEXTURES = 10


class Scanner:
    """Turns tissue slices into a picture as a scanner with a standard kernel would."""

    def __init__(self, size: int, pixel_mm: float, noise_hu: float, rng: np.random.Generator) -> None:
        self._rng, self._size = rng, size
        self._textures = [_texture(size, pixel_mm, rng) * noise_hu for _ in range(TEXTURES)]
        across = np.arange(size) - (size - 1) / 2
        distance = np.hypot(across, across[:, None])
        self._outside = distance > size / 2 - 1
        # Less noise towards the skin, where the beam crosses less tissue.
        self._profile = np.asarray(1.1 - 0.55 * np.clip(distance / (size / 2), 0, 1) ** 2, np.float32)

    def expose(self, tissue: Array, loud: float = 1.0) -> NDArray[np.int16]:
        """A slice with blur and noise; `loud` is the noise relative to the middle of the chest."""
        blurred = ndimage.gaussian_filter(tissue, 0.62, mode="nearest", truncate=3)
        noise = np.roll(
            self._textures[self._rng.integers(TEXTURES)], self._rng.integers(0, self._size, 2), (0, 1)
        )
        if self._rng.random() < 0.5:
            noise = noise[:, ::-1]
        hu = blurred + noise * self._profile * loud
        hu[self._outside] = OUTSIDE_HU
        return np.clip(np.rint(hu), OUTSIDE_HU, 3071).astype(np.int16)


def _texture(size: int, pixel_mm: float, rng: np.random.Generator) -> Array:
    """Noise of unit variance with a ramp filter and roll-off: little at low and at high frequencies."""
    frequency = np.hypot(fft.fftfreq(size, pixel_mm)[:, None], fft.rfftfreq(size, pixel_mm))
    filtered = np.sqrt(frequency + 0.01) * np.exp(-((frequency / 0.36) ** 2))
    noise = fft.irfft2(fft.rfft2(rng.normal(size=(size, size))) * filtered, (size, size))
    return np.asarray(noise / noise.std(), np.float32)
