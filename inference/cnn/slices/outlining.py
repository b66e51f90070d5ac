"""Nodules on one slice, found and outlined by the networks for whole scans in a slab made around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.networks import LoadedNetworks
from inference.cnn.read import read_volume
from inference.cnn.reading import FoundNodule
from inference.cnn.slices.opening import Pair
from inference.cnn.slices.slab import SLICES, slab

SMOOTHING_PX = 0.7

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PictureOutline:
    """One nodule: corners (x, y) in pixels, probability, and mean diameter where the scale is known."""

    points: tuple[Pair, ...]
    p_nodule: float
    diameter_mm: float | None


def outlines_on(
    hu: NDArray[np.int16], pixel_mm: Pair, lungs: Mask, networks: LoadedNetworks, *, measured: bool
) -> list[PictureOutline]:
    """Nodules on one slice (y, x), most probable first; `measured` says that `pixel_mm` is no assumption."""
    reading = read_volume(*slab(hu, pixel_mm, lungs), networks=networks)
    found = (_outline(nodule, measured) for nodule in reading.findings)
    return [one for one in found if one is not None]


def _outline(nodule: FoundNodule, measured: bool) -> PictureOutline | None:
    """The outline where it crosses the slice itself; None where it does not."""
    at = SLICES // 2 - nodule.start[0]
    if not 0 <= at < nodule.mask.shape[0]:
        return None
    points = contour(nodule.mask[at], nodule.start[1], nodule.start[2])
    if len(points) < 3:
        return None
    diameter = round(nodule.mean_diameter_mm, 1) if measured else None
    return PictureOutline(points, round(nodule.p_nodule, 3), diameter)


def contour(mask: NDArray[np.bool_], row: int, column: int) -> tuple[Pair, ...]:
    """The longest line around a mask (y, x) whose first pixel is (row, column), as corners (x, y).

    The centre of pixel (0, 0) lies at (0.5, 0.5), as in SVG.
    """
    from skimage.measure import approximate_polygon, find_contours

    if not mask.any():
        return ()
    room = np.pad(mask, 3).astype(np.float32)
    soft = ndimage.gaussian_filter(room, SMOOTHING_PX)
    lines = find_contours(soft, 0.45 * float(soft.max()))
    if not lines:
        return ()
    line = approximate_polygon(max(lines, key=len), 0.15)[:-1]
    return tuple((round(float(x) - 2.5 + column, 2), round(float(y) - 2.5 + row, 2)) for y, x in line)
