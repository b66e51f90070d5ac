"""Synthetic chest slices and the files that people send them in."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from scans.dicom.window import PRESETS, render_slice
from tests.dicom_files import ct_image

SIDE = 320
PIXEL_MM = 1.1
NODULE = (170, 92)
NODULE_MM = 13.0


def chest_slice(*, nodule: bool = True, seed: int = 0) -> NDArray[np.int16]:
    """HU (y, x) of a chest with two lungs, a heart and, in the right lung, a round nodule of 13 mm."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    hu = np.full((SIDE, SIDE), -1000, np.float32)
    hu[((x - 160) / 140) ** 2 + ((y - 160) / 100) ** 2 < 1] = 40
    for middle in (95, 225):
        hu[((x - middle) / 50) ** 2 + ((y - 155) / 75) ** 2 < 1] = -860
    hu[((x - 175) / 40) ** 2 + ((y - 130) / 45) ** 2 < 1] = 45
    if nodule:
        row, column = NODULE
        hu[(x - column) ** 2 + (y - row) ** 2 < (NODULE_MM / 2 / PIXEL_MM) ** 2] = 30
    hu = ndimage.gaussian_filter(hu, 0.7) + np.random.default_rng(seed).normal(0, 12, hu.shape)
    return np.clip(hu, -1024, 3000).astype(np.int16)


def png(grey: NDArray[np.uint8], kind: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, kind, **more)
    return file.getvalue()


def shown(hu: NDArray[np.int16], window: str = "lung") -> NDArray[np.uint8]:
    return render_slice(hu, PRESETS[window])


def dicom(hu: NDArray[np.int16], **changes: Any) -> bytes:
    rows, columns = hu.shape
    pixels = (hu + 1024).astype(np.int16).tobytes()
    spacing = [PIXEL_MM, PIXEL_MM]
    return ct_image(
        **{"PixelData": pixels, "Rows": rows, "Columns": columns, "PixelSpacing": spacing, **changes}
    )


def photograph() -> bytes:
    """A colourful picture: a sky over grass."""
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:120] = (90, 150, 230)
    picture[120:] = (60, 160, 50)
    return png(picture)
