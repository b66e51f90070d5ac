"""What is measured on an outline: a pure function of the mask and its geometry (CLINICAL 1.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from scans.dicom.geometry import Geometry

Points = NDArray[np.float64]
EQUAL = 1e-9


@dataclass(frozen=True)
class Measures:
    """In mm and mm3; `slice_index` is the slice with the largest area, in which both axes lie."""

    slice_index: int
    center_mm: tuple[float, float, float]
    long_axis_mm: float
    short_axis_mm: float
    mean_diameter_mm: float
    volume_mm3: float


def _hull(points: Points) -> Points:
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:
        return points


def _edges(section: NDArray[np.bool_]) -> Points:
    """Middles of the pixel sides between inside and outside, as fractional (row, column).

    On a grid, corners would measure a disc up to a diagonal too wide; the sides' middles do not.
    """
    padded = np.pad(section, 1)
    rows = np.argwhere(padded[1:] != padded[:-1]) + np.array([-0.5, -1.0])
    columns = np.argwhere(padded[:, 1:] != padded[:, :-1]) + np.array([-1.0, -0.5])
    return np.concatenate([rows, columns]).astype(float)


def _axes(points_mm: Points) -> tuple[float, float]:
    """(long, short): the largest distance, and the largest extent perpendicular to it.

    On a grid several pairs of points may be equally far apart; the one with the widest extent across counts,
    so that the answer does not depend on the order of rows and columns.
    """
    hull = _hull(points_mm)
    offsets = hull[:, None, :] - hull[None, :, :]
    squared = (offsets**2).sum(axis=-1)
    long = float(np.sqrt(squared.max()))
    if long == 0:
        return 0.0, 0.0
    first, second = np.nonzero(squared >= squared.max() * (1 - EQUAL))
    along = offsets[first, second] / long
    across = hull @ np.stack([-along[:, 1], along[:, 0]])
    return long, min(float(np.ptp(across, axis=0).max()), long)


def _plane(geometry: Geometry) -> NDArray[np.float64]:
    """(row, column) index to mm within the slice: two orthonormal axes of the slice's plane."""
    column = np.asarray(geometry.direction[0], float)
    row = np.asarray(geometry.direction[1], float)
    column = column / np.linalg.norm(column)
    row = row / np.linalg.norm(row)
    side = row - (row @ column) * column
    length = float(np.linalg.norm(side))
    dy, dx = geometry.spacing_mm[1], geometry.spacing_mm[2]
    return np.array([[length * dy, float(row @ column) * dy], [0.0, dx]])


def measure(mask: NDArray[np.bool_], geometry: Geometry) -> Measures:
    """Measures of an outline given on the whole grid of `geometry`, or on a part of that shape.

    Of several slices with the same largest area the one with the largest mean diameter counts, then the one
    nearest the feet: the first in the array would depend on the order of the slices.
    """
    if not mask.any():
        raise ValueError("An outline without voxels has no measures.")
    areas = mask.sum(axis=(1, 2))
    tied = {int(z): _axes(_edges(mask[z]) @ _plane(geometry)) for z in np.flatnonzero(areas == areas.max())}
    z = max(tied, key=lambda k: (round(sum(tied[k]), 6), -round(float(geometry.to_mm((k, 0, 0))[2]), 3)))
    long, short = tied[z]
    x_mm, y_mm, z_mm = (float(v) for v in geometry.to_mm(np.argwhere(mask).mean(axis=0)))
    volume = float(mask.sum()) * geometry.voxel_mm3
    return Measures(z, (x_mm, y_mm, z_mm), long, short, (long + short) / 2, volume)
