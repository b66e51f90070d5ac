"""Grey levels for the eye: DICOM windows and key images with the outline of a finding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

OUTLINE_COLOUR = (0xFF, 0x9A, 0x4D)
OUTLINE_PX = 2
SMALLEST_SIDE_PX = 320
SUPERSAMPLING = 4


@dataclass(frozen=True)
class Window:
    """Centre and width in HU."""

    center: float
    width: float


# CLINICAL section 1.3
PRESETS = {
    "lung": Window(-600, 1500),
    "mediastinum": Window(40, 400),
    "bone": Window(400, 1800),
    "wide_lung": Window(-500, 1400),
}
LUNG = PRESETS["lung"]


@dataclass(frozen=True)
class Crop:
    """A piece of a slice: first row, first column, and the numbers of rows and columns."""

    row: int
    column: int
    rows: int
    columns: int


def to_unit(hu: NDArray[np.int16] | NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """The linear window of DICOM, 0 to 1 (PS3.3 C.11.2.1.2.1)."""
    scaled = (np.asarray(hu, float) - (window.center - 0.5)) / (window.width - 1) + 0.5
    return np.asarray(np.clip(scaled, 0.0, 1.0))


def render_slice(hu: NDArray[np.int16], window: Window = LUNG) -> NDArray[np.uint8]:
    """A slice (y, x) as 8 bit grey levels."""
    return np.rint(to_unit(hu, window) * 255).astype(np.uint8)


def crop_around(
    center: tuple[float, float], side_mm: float, pixel_mm: tuple[float, float], shape: tuple[int, int]
) -> Crop:
    """A square of `side_mm` around `center` (row, column), moved so that it lies inside the slice."""
    sides = [min(length, max(1, round(side_mm / mm))) for length, mm in zip(shape, pixel_mm, strict=True)]
    starts = [
        int(np.clip(round(at - side / 2), 0, length - side))
        for at, side, length in zip(center, sides, shape, strict=True)
    ]
    return Crop(starts[0], starts[1], sides[0], sides[1])


def render_key_image(
    hu: NDArray[np.int16],
    mask: NDArray[np.bool_] | None,
    window: Window = LUNG,
    crop: Crop | None = None,
    pixel_mm: tuple[float, float] = (1.0, 1.0),
    side_px: int = SMALLEST_SIDE_PX,
) -> Image.Image:
    """A slice (y, x), or a crop of it, with the outline of `mask` in orange.

    The shorter side becomes `side_px`, at least 320, in true proportions of `pixel_mm` (row, column). A side
    that is longer than that already stays as it is.
    """
    crop = crop or Crop(0, 0, *hu.shape)
    rows, columns = slice(crop.row, crop.row + crop.rows), slice(crop.column, crop.column + crop.columns)
    size = _size(crop, pixel_mm, max(side_px, SMALLEST_SIDE_PX))
    grey = Image.fromarray(render_slice(hu[rows, columns], window)).resize(size, Image.Resampling.BICUBIC)
    picture = grey.convert("RGB")
    if mask is not None and mask[rows, columns].any():
        picture.paste(OUTLINE_COLOUR, mask=_outline(mask[rows, columns], size))
    return picture


def _size(crop: Crop, pixel_mm: tuple[float, float], side_px: int) -> tuple[int, int]:
    """Width and height in px of the picture."""
    height, width = crop.rows * pixel_mm[0], crop.columns * pixel_mm[1]
    scale = max(side_px / min(height, width), min(crop.rows / height, crop.columns / width))
    return round(width * scale), round(height * scale)


def _outline(mask: NDArray[np.bool_], size: tuple[int, int]) -> Image.Image:
    """Opacity of a line of 2 px just outside `mask`, anti-aliased."""
    fine = (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING)
    soft = ndimage.gaussian_filter(np.pad(mask, 2).astype(np.float32), 1.0)[2:-2, 2:-2]
    levels = np.asarray(Image.fromarray(soft).resize(fine, Image.Resampling.BICUBIC))
    inside = levels > 0.45 * levels.max()
    distance = ndimage.distance_transform_edt(~inside)
    line = (distance > 0) & (distance <= OUTLINE_PX * SUPERSAMPLING)
    return Image.fromarray((line * 255).astype(np.uint8)).resize(size, Image.Resampling.BOX)
