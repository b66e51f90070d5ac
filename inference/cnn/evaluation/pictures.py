"""Small pictures of cases: one slice in a lung window, the consensus and our outline drawn on it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

ENLARGED = 5
LOW_HU, HIGH_HU = -1350, 150
THEIRS, OURS = (255, 176, 32), (64, 224, 208)

Plane = NDArray[np.bool_]


@dataclass(frozen=True)
class Outline:
    mask: Plane
    colour: tuple[int, int, int]


def _rim(mask: Plane) -> Plane:
    """The innermost two lines of enlarged pixels along the border of a mask."""
    large = mask.repeat(ENLARGED, 0).repeat(ENLARGED, 1)
    return np.asarray(large & ~ndimage.binary_erosion(large, iterations=2, border_value=1))


def picture(hu: NDArray[np.int16], outlines: Sequence[Outline]) -> bytes:
    """PNG of one slice (rows, columns), ENLARGED times, in the lung window -600/1500."""
    grey = np.clip((hu.astype(float) - LOW_HU) / (HIGH_HU - LOW_HU), 0, 1) * 255
    image = Image.fromarray(grey.astype(np.uint8)).resize(
        (hu.shape[1] * ENLARGED, hu.shape[0] * ENLARGED), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(image.convert("RGB")).copy()
    for outline in outlines:
        pixels[_rim(outline.mask)] = outline.colour
    stream = io.BytesIO()
    Image.fromarray(pixels).quantize(96).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def figure(png: bytes, text: str) -> str:
    """An HTML figure that carries its picture within itself."""
    data = base64.b64encode(png).decode()
    return (
        f'<figure class="case"><img alt="{escape(text)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(text)}</figcaption></figure>"
    )


def around(
    hu: NDArray[np.int16], mask: Plane, row: float, column: float, size: int = 64
) -> tuple[NDArray[np.int16], Plane]:
    """A window of `size` pixels about a place; beyond the slice the edge repeats and nothing is outlined."""
    half = size // 2
    padded, outlined = np.pad(hu, half, mode="edge"), np.pad(mask, half)
    top, left = int(np.clip(row, 0, hu.shape[0] - 1)), int(np.clip(column, 0, hu.shape[1] - 1))
    window = (slice(top, top + size), slice(left, left + size))
    return padded[window], outlined[window]
