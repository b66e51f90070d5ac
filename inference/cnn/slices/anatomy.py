"""Body and lungs on a single picture, and what its grey levels mean where nobody says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.slices.opening import Pair, Picture

SIDE = 256
AIR_HU, DENSE_HU = -1000.0, -400.0
LUNG_HU, SOFT_TISSUE_HU = -850.0, 40.0
ABOVE_AIR_HU, ABOVE_AIR_GREY = 25.0, 6.0
BODY_WIDTH_MM = 350.0
SMALLEST_LUNG = 0.02
FLATTEST = 0.3

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Anatomy:
    """`body` and `lungs` (y, x); `hollow` is the share of the body that is as dark as air or lung.

    In a soft-tissue window the lung is as black as the air outside: then the body is hollow without lungs.
    """

    body: Mask
    lungs: Mask
    hollow: float

    @property
    def body_share(self) -> float:
        """Share of the picture that the body fills."""
        return float(self.body.mean())


@dataclass(frozen=True)
class _Levels:
    """Values of air, and above what a pixel is dense; a lung lies at least `above_air` over the air."""

    air: float
    dense: float
    above_air: float


def anatomy(picture: Picture) -> Anatomy:
    """Body and lungs by HU, or by the picture's own dark and bright where it has none."""
    values = (picture.grey if picture.hu is None else picture.hu).astype(np.float32)
    step = max(1, round(max(values.shape) / SIDE))
    small = ndimage.gaussian_filter(values, 0.75 * step)[::step, ::step]
    levels = _levels(small) if picture.hu is None else _Levels(AIR_HU, DENSE_HU, ABOVE_AIR_HU)
    dense = small > levels.dense
    ring = _ring(dense)
    body = ring | _hull(ndimage.binary_opening(dense))
    hollow = _large(~dense & ring, body) | _large(~dense & ndimage.binary_erosion(body, iterations=4), body)
    lungs = _above_air(_large(~dense & ring, body), small, levels)
    share = float(hollow.sum()) / max(int(body.sum()), 1)
    return Anatomy(_full(body, step, values.shape), _full(lungs, step, values.shape), share)


def _levels(grey: FloatArray) -> _Levels:
    """Air is the darker quarter of the picture; dense begins a third of the way up to its bright end."""
    air, bright = (float(v) for v in np.percentile(grey, [25, 98]))
    return _Levels(air, air + 0.35 * max(bright - air, 40.0), ABOVE_AIR_GREY)


def _disc(radius: int) -> Mask:
    return np.asarray(np.hypot(*(np.indices((2 * radius + 1,) * 2) - radius)) <= radius)


def _ring(dense: Mask) -> Mask:
    """The largest dense object with what it encloses, without thin things such as the table."""
    room = np.pad(dense, 12)
    filled = ndimage.binary_fill_holes(ndimage.binary_closing(room, _disc(3)))
    opened = ndimage.binary_opening(filled, _disc(6))[12:-12, 12:-12]
    labels, count = ndimage.label(opened)
    if not count:
        return np.zeros(dense.shape, bool)
    return np.asarray(labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1)


def _hull(dense: Mask) -> Mask:
    """Convex hull: where fat is black, muscles and bones are islands."""
    from skimage.morphology import convex_hull_image

    if dense.sum() <= 20:
        return np.zeros(dense.shape, bool)
    return np.asarray(convex_hull_image(dense))  # type: ignore[no-untyped-call]


def _large(mask: Mask, body: Mask) -> Mask:
    """Parts of at least 2 % of the body."""
    labels, _ = ndimage.label(ndimage.binary_opening(mask))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    for label, place in enumerate(ndimage.find_objects(labels), 1):
        height, width = (side.stop - side.start for side in place)
        if height < FLATTEST * width:  # the gap between back and table
            sizes[label] = 0
    return np.asarray((sizes >= max(SMALLEST_LUNG * int(body.sum()), 20))[labels])


def _above_air(dark: Mask, values: FloatArray, levels: _Levels) -> Mask:
    """Dark parts that are brighter than the air outside: lung, not the gap above the table."""
    labels, count = ndimage.label(dark)
    if not count:
        return dark
    middles = np.atleast_1d(ndimage.median(values, labels, np.arange(1, count + 1)))
    return np.asarray(np.append(False, middles - levels.air >= levels.above_air)[labels])


def _full(mask: Mask, step: int, shape: tuple[int, ...]) -> Mask:
    """Back on the picture's own pixels."""
    return np.repeat(np.repeat(mask, step, axis=0), step, axis=1)[: shape[0], : shape[1]]


def assumed_hu(grey: NDArray[np.uint8], found: Anatomy) -> NDArray[np.int16] | None:
    """HU of a picture that shows the inside of the lung, None of one that does not.

    Linear between two assumptions: the middle of the lung is -850 HU, soft tissue is 40 HU.
    """
    if not found.lungs.any():
        return None
    lung = float(np.median(grey[found.lungs]))
    tissue = float(np.median(grey[found.body & ~ndimage.binary_dilation(found.lungs, iterations=4)]))
    if tissue - lung < 40:
        return None
    hu = LUNG_HU + (grey.astype(np.float32) - lung) * ((SOFT_TISSUE_HU - LUNG_HU) / (tissue - lung))
    return np.clip(hu, -1024, 1500).astype(np.int16)


def assumed_pixel_mm(found: Anatomy) -> Pair:
    """Pixel size if the body is 35 cm wide: good enough to find nodules, too poor to measure them."""
    columns = np.flatnonzero(found.body.any(axis=0))
    width = int(columns[-1] - columns[0] + 1) if len(columns) else found.body.shape[1]
    return (BODY_WIDTH_MM / width, BODY_WIDTH_MM / width)
