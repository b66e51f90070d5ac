"""Pictures in the storage: pixels and their spacing alone, each row with a file of its own."""

from __future__ import annotations

import io
from uuid import UUID

import numpy as np
from django.core.files.storage import default_storage
from PIL import Image

from inference.cnn.slices.opening import Picture
from scans.dicom.window import PRESETS, render_slice
from scans.storage import put

FOLDER = "single-images"
WINDOWS = ("lung", "mediastinum")


def store(picture: Picture, key: UUID) -> str:
    """Keep the pixels under the row's key, so that removing one row's file never touches another's."""
    arrays = {"grey": picture.grey, "colour": np.array(picture.colour)}
    if picture.hu is not None:
        arrays["hu"] = picture.hu
    if picture.pixel_mm is not None:
        arrays["pixel_mm"] = np.array(picture.pixel_mm)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return put(f"{FOLDER}/{key}", file)


def restored(name: str) -> Picture:
    """The picture as it was sent, without its file's header."""
    with default_storage.open(name) as file, np.load(file, allow_pickle=False) as arrays:
        spacing = arrays["pixel_mm"].tolist() if "pixel_mm" in arrays else None
        return Picture(
            arrays["grey"],
            arrays.get("hu"),
            (spacing[0], spacing[1]) if spacing else None,
            float(arrays["colour"]),
        )


def remove(name: str) -> None:
    default_storage.delete(name)


def as_png(picture: Picture, window: str) -> bytes:
    """For the eye; a picture without Hounsfield units looks as it was sent, whatever the window."""
    grey = picture.grey if picture.hu is None else render_slice(picture.hu, PRESETS[window])
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG", compress_level=1)
    return file.getvalue()
