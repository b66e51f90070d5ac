"""A frame as a picture for the eye: values, window, size (PS3.3 C.11, PS3.18 section 8.3.5)."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

from scans.dicom import attributes as a
from scans.dicom.image import Image as StoredImage
from scans.dicom.image import open_image
from scans.dicom.pixels import damage_refused, hounsfield
from scans.dicom.refusal import Refused
from scans.dicom.window import LUNG, Window

Grey = NDArray[np.float64]
ALL_HU: Grey = np.arange(-1024.0, 32768.0)
"""Every value that a decoded CT pixel can have: a window is applied to these once, not to each pixel."""


def _linear(values: Grey, center: float, width: float) -> Grey:
    """PS3.3 C.11.2.1.2.1"""
    return (values - (center - 0.5)) / max(width - 1, 1e-6) + 0.5


def _exact(values: Grey, center: float, width: float) -> Grey:
    """PS3.3 C.11.2.1.3.2"""
    return (values - center) / width + 0.5


def _sigmoid(values: Grey, center: float, width: float) -> Grey:
    """PS3.3 C.11.2.1.3.1"""
    return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -50, 50))))


FUNCTIONS: dict[str, Callable[[Grey, float, float], Grey]] = {
    "linear": _linear,
    "linear-exact": _exact,
    "sigmoid": _sigmoid,
}


@dataclass(frozen=True)
class Viewport:
    """The size of the picture, and the part of the image in it; a part that is 0 wide is the rest.

    `flip_x`, `flip_y` mirror the part.
    """

    width: int
    height: int
    left: int = 0
    top: int = 0
    part_width: int = 0
    part_height: int = 0
    flip_x: bool = False
    flip_y: bool = False


@dataclass(frozen=True)
class Look:
    """How a frame is shown; what is left out is decided by the image."""

    window: Window | None = None
    function: str = "linear"
    viewport: Viewport | None = None


def render(source: BinaryIO, frame: int, look: Look) -> Image.Image:
    """Frame `frame` (from 0) as an 8-bit picture, grey or RGB.

    Raises
    ------
    Refused : it has no such frame, or no pixels that can be decoded here.
    """
    with damage_refused():
        picture = _picture(open_image(source), frame, look)
    return _fitted(picture, look.viewport) if look.viewport else picture


def encode(picture: Image.Image, media_type: str, quality: int = 90) -> bytes:
    """A picture as PNG or JPEG; PNG with the fastest compression, which a viewer waits for."""
    file = io.BytesIO()
    if media_type == "image/jpeg":
        picture.save(file, "JPEG", quality=quality)
    else:
        picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _picture(image: StoredImage, frame: int, look: Look) -> Image.Image:
    dataset = image.dataset
    photometric = a.text(dataset, "PhotometricInterpretation")
    if photometric == "PALETTE COLOR":
        coloured = apply_color_lut(image.stored(frame), dataset)
        return Image.fromarray(_to_8_bits(coloured), "RGB")
    if image.samples > 1:
        return Image.fromarray(_to_8_bits(image.stored(frame, as_rgb=True)), "RGB")
    try:
        hu = hounsfield(image, frame)
        window = look.window or _own_window(dataset, frame) or LUNG
        table = _shades(ALL_HU, window, look.function, photometric)
        return Image.fromarray(table[hu.astype(np.intp) - int(ALL_HU[0])], "L")
    except Refused as refused:
        if refused.code != "NOT_HU":
            raise
        values = _rescaled(dataset, image.stored(frame), frame)
    window = look.window or _own_window(dataset, frame) or _whole_range(values)
    return Image.fromarray(_shades(values, window, look.function, photometric), "L")


def _shades(values: Grey, window: Window, function: str, photometric: str) -> NDArray[np.uint8]:
    shown = np.clip(FUNCTIONS[function](values, window.center, window.width), 0, 1)
    return np.rint((1 - shown if photometric == "MONOCHROME1" else shown) * 255).astype(np.uint8)


def _rescaled(dataset: Dataset, stored: NDArray[Any], frame: int) -> Grey:
    scale = a.from_groups(dataset, "PixelValueTransformationSequence", "RescaleSlope", frame)
    slope, intercept = a.number(scale, "RescaleSlope"), a.number(scale, "RescaleIntercept")
    return np.asarray(stored, float) * (slope or 1.0) + (intercept or 0.0)


def _own_window(dataset: Dataset, frame: int) -> Window | None:
    group = a.from_groups(dataset, "FrameVOILUTSequence", "WindowCenter", frame)
    center, width = a.number(group, "WindowCenter"), a.number(group, "WindowWidth")
    return Window(center, width) if center is not None and width is not None and width >= 1 else None


def _whole_range(values: Grey) -> Window:
    low, high = float(values.min()), float(values.max())
    return Window((low + high + 1) / 2, max(high - low + 1, 2))


def _to_8_bits(colours: NDArray[Any]) -> NDArray[np.uint8]:
    return (colours >> 8 if colours.dtype.itemsize > 1 else colours).astype(np.uint8)


def _fitted(picture: Image.Image, viewport: Viewport) -> Image.Image:
    """The part that is asked for, as large as fits into the viewport in its true proportions."""
    width = viewport.part_width or picture.width - viewport.left
    height = viewport.part_height or picture.height - viewport.top
    box = (viewport.left, viewport.top, viewport.left + width, viewport.top + height)
    if width < 1 or height < 1 or box[2] > picture.width or box[3] > picture.height:
        raise Refused("BAD_VIEWPORT", "The part lies outside the image: ask for one within it.")
    part = picture.crop(box)
    if viewport.flip_x:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if viewport.flip_y:
        part = part.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    scale = min(viewport.width / width, viewport.height / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return part.resize(size, Image.Resampling.BILINEAR)
