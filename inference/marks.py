"""Pictures of places that a person marked: no outline is known, so a ring of the measured size is drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from scans.dicom.refusal import Refused
from scans.dicom.window import crop_around, render_key_image
from scans.models import Volume
from scans.volumes import open_volume

SIDE_MM = 70.0


def picture_of_mark(
    volume: Volume, slice_index: int, center_mm: Sequence[float], diameter_mm: float
) -> bytes | None:
    """PNG of the slice around `center_mm` (LPS) with a ring of `diameter_mm`; None if it cannot be read."""
    try:
        reader = open_volume(volume)
        hu, geometry = reader.slice(slice_index), reader.geometry
    except (OSError, Refused, IndexError):
        return None
    pixel_mm = geometry.spacing_mm[1:]
    _, row, column = geometry.to_index(center_mm)
    rows, columns = np.ogrid[: hu.shape[0], : hu.shape[1]]
    distance_mm = np.hypot((rows - row) * pixel_mm[0], (columns - column) * pixel_mm[1])
    crop = crop_around((row, column), max(SIDE_MM, 2.5 * diameter_mm), pixel_mm, hu.shape)
    picture = render_key_image(hu, distance_mm <= diameter_mm / 2, crop=crop, pixel_mm=pixel_mm)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
