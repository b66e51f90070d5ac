"""One picture from a file of an unknown sender: PNG, JPEG, BMP, TIFF, or one DICOM slice."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from scans.dicom import attributes as a
from scans.dicom.part10 import open_part10
from scans.dicom.pictures import DICOM_MARK, with_picture
from scans.dicom.pixels import decode
from scans.dicom.refusal import Refused
from scans.dicom.window import PRESETS, render_slice

SMALLEST_SIDE = 64
Pair = tuple[float, float]


@dataclass(frozen=True)
class Picture:
    """One picture without anything that names a patient.

    `grey` is uint8 (y, x) as a person sees it; `hu` int16 (y, x) and `pixel_mm` (row, column) where the file
    was a CT slice that tells them; `colour` is the mean distance of the colours from grey, 0 to 255.
    """

    grey: NDArray[np.uint8]
    hu: NDArray[np.int16] | None = None
    pixel_mm: Pair | None = None
    colour: float = 0.0


def open_picture(content: bytes) -> Picture:
    """The picture in a file; names, dates, places and thumbnails of the file are left behind.

    Raises
    ------
    Refused : no picture, damaged, too large or too small, or a DICOM image that is not CT.
    """
    dicom = content[DICOM_MARK] == b"DICM"
    picture = _of_dicom(content) if dicom else with_picture(content, _of_pillow)
    rows, columns = picture.grey.shape
    if min(rows, columns) < SMALLEST_SIDE:
        raise Refused(
            "TOO_SMALL", f"The picture has {columns} x {rows} pixels; at least {SMALLEST_SIDE} are needed."
        )
    return picture


def _of_dicom(content: bytes) -> Picture:
    hu = decode(content)
    spacing = a.numbers(open_part10(io.BytesIO(content)).dataset, "PixelSpacing")
    known = len(spacing) == 2 and all(0.05 < s < 10 for s in spacing)
    pixel_mm = (spacing[0], spacing[1]) if known else None
    return Picture(render_slice(hu, PRESETS["mediastinum"]), hu, pixel_mm)


def _of_pillow(image: Image.Image) -> Picture:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I") or upright.mode == "F":
        return Picture(_eight_bits(np.asarray(upright, float)))
    colours = np.asarray(upright.convert("RGB"), np.int16)
    grey = np.asarray(upright.convert("RGB").convert("L"))
    spread = colours.max(axis=-1) - colours.min(axis=-1)
    return Picture(grey, colour=float(spread.mean()))


def _eight_bits(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """16-bit grey levels stretched from the lowest to the highest."""
    if not np.isfinite(values).all():
        raise Refused("DAMAGED", "The picture holds values that are no numbers. Save it again.")
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) * (255 / max(high - low, 1))).astype(np.uint8)
