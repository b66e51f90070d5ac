"""Slices as pictures with outlines, without any toolkit."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from inference.cnn.desktop.source import Scan, Source
from inference.cnn.reading import FoundNodule, VolumeReading
from inference.cnn.slices.outlining import contour
from inference.cnn.slices.read import PictureReading
from scans.dicom.window import OUTLINE_COLOUR, PRESETS, Window, render_slice

LABEL_PX = 14
Lines = list[tuple[int, tuple[tuple[float, float], ...]]]


def true_size(source: Source) -> tuple[float, float]:
    """Width and height of one pixel of a slice, the smaller one 1."""
    if isinstance(source, Scan):
        _, row, column = source.geometry.spacing_mm
    else:
        row, column = source.picture.pixel_mm or (1.0, 1.0)
    least = min(row, column)
    return column / least, row / least


def outlines_of(reading: VolumeReading | PictureReading | None, index: int) -> Lines:
    """(number, corners (x, y) in pixels) of every outline that crosses slice `index`."""
    if reading is None:
        return []
    if isinstance(reading, PictureReading):
        return [(k, outline.points) for k, outline in enumerate(reading.outlines, 1)]
    drawn = ((k, _crossing(nodule, index)) for k, nodule in enumerate(reading.findings, 1))
    return [(k, points) for k, points in drawn if points]


def _crossing(nodule: FoundNodule, index: int) -> tuple[tuple[float, float], ...]:
    at = index - nodule.start[0]
    if not 0 <= at < nodule.mask.shape[0] or not nodule.mask[at].any():
        return ()
    return contour(nodule.mask[at], nodule.start[1], nodule.start[2])


def slice_picture(source: Source, index: int, window: str, box: tuple[int, int], lines: Lines) -> Image.Image:
    """Slice `index` in one of the window presets, as large as fits into `box` (width, height)."""
    grey = _grey(source, index, PRESETS[window])
    across, down = true_size(source)
    scale = min(box[0] / (grey.shape[1] * across), box[1] / (grey.shape[0] * down))
    size = (max(1, round(grey.shape[1] * across * scale)), max(1, round(grey.shape[0] * down * scale)))
    how = Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS
    picture = Image.fromarray(grey).resize(size, how).convert("RGB")
    _draw(picture, lines, (across * scale, down * scale))
    return picture


def _grey(source: Source, index: int, window: Window) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    if isinstance(source, Scan):
        return render_slice(source.hu[index], window)
    single = source.picture
    return single.grey if single.hu is None else render_slice(single.hu, window)


def _draw(picture: Image.Image, lines: Lines, scale: tuple[float, float]) -> None:
    pen = ImageDraw.Draw(picture)
    for number, points in lines:
        corners = [(x * scale[0], y * scale[1]) for x, y in points]
        pen.line([*corners, corners[0], corners[1]], fill=OUTLINE_COLOUR, width=2, joint="curve")
        right, top = max(x for x, _ in corners), min(y for _, y in corners)
        pen.text(
            (right + 4, top - LABEL_PX / 2),
            str(number),
            fill=OUTLINE_COLOUR,
            font_size=LABEL_PX,
            stroke_width=1,
            stroke_fill=(0, 0, 0),
        )
