"""A volume around one slice, since the networks for nodules read volumes.

The slice repeated would turn every nodule into a column, which the networks take for a vessel. So whatever is
dense within the lung is given the thickness that it has across: a disc becomes a ball, a vessel along the
slice a tube. A vessel cut across becomes a ball too; one slice cannot tell it from a nodule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.slices.opening import Pair
from scans.dicom.geometry import Geometry

SLICES = 25
SLICE_MM = 1.25
DENSE_HU = -600
CLOSING_MM = 8.0
LUNG_HU = -860.0

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float32]


def slab(hu: NDArray[np.int16], pixel_mm: Pair, lungs: Mask) -> tuple[NDArray[np.int16], Geometry]:
    """SLICES slices around `hu` (y, x), which is the middle one; LPS origin at its first pixel's column."""
    geometry = Geometry((SLICES, *hu.shape), (SLICE_MM, *pixel_mm), (0.0, 0.0, 0.0))
    inside = closed(lungs, pixel_mm)
    dense = (hu > DENSE_HU) & inside
    half = half_thickness_mm(dense, pixel_mm)
    between = background(hu, inside & ~dense)
    planes = []
    for offset in np.abs(np.arange(SLICES) - SLICES // 2) * SLICE_MM:
        share = np.clip((half - offset) / SLICE_MM + 0.5, 0, 1) if offset else np.ones_like(half)
        planes.append(np.where(dense, share * hu + (1 - share) * between, hu))
    return np.rint(np.stack(planes)).astype(np.int16), geometry


def closed(lungs: Mask, pixel_mm: Pair) -> Mask:
    """The lungs with their vessels and with nodules on the pleura: closed by a disc of 8 mm, holes filled."""
    if not lungs.any():
        return lungs
    pad = int(np.ceil(CLOSING_MM / min(pixel_mm))) + 1
    room = np.pad(lungs, pad)
    wide = ndimage.distance_transform_edt(~room, sampling=pixel_mm) <= CLOSING_MM
    shut = ndimage.distance_transform_edt(wide, sampling=pixel_mm) > CLOSING_MM
    return np.asarray(ndimage.binary_fill_holes(shut | room)[pad:-pad, pad:-pad])


def half_thickness_mm(dense: Mask, pixel_mm: Pair) -> FloatArray:
    """Half the thickness across the slice of the union of all balls whose discs lie within `dense`.

    The largest of D(m)^2 - |x - m|^2 over all points m, with D the distance to the border: a dilation by a
    paraboloid, taken one axis after the other (van den Boomgaard et al. 1996).
    """
    reach = SLICES // 2 * SLICE_MM + SLICE_MM
    power = np.minimum(ndimage.distance_transform_edt(dense, sampling=pixel_mm), reach) ** 2
    for axis, step in enumerate(pixel_mm):
        power = _raised(power, axis, step, int(reach / step))
    return np.sqrt(np.maximum(power, 0)).astype(np.float32)


def _raised(values: NDArray[np.float64], axis: int, step: float, count: int) -> NDArray[np.float64]:
    room = np.pad(
        values, [(count, count) if a == axis else (0, 0) for a in range(2)], constant_values=-np.inf
    )
    length = values.shape[axis]
    shifted = (
        np.take(room, np.arange(length) + count + k, axis=axis) - (k * step) ** 2
        for k in range(-count, count + 1)
    )
    best = values.copy()
    for one in shifted:
        np.maximum(best, one, out=best)
    return best


def background(hu: NDArray[np.int16], lung: Mask) -> FloatArray:
    """Smooth lung density everywhere: the mean of the lung nearby, -860 HU far from any."""
    weight = ndimage.gaussian_filter(lung.astype(np.float32), 6) + 1e-3
    total = ndimage.gaussian_filter(np.where(lung, hu, 0).astype(np.float32), 6) + 1e-3 * LUNG_HU
    return np.asarray(total / weight, np.float32)
