"""A sheared stack on a straight grid.

With a tilted gantry the table moves along the patient while the slices stand askew: the stack of slices is no
box. Each slice is moved within its own plane (linear interpolation along y, and along x where needed) until
the stack rises along the normal of its slices. The grid stays as the slices lie, so it is straight but not
parallel to the patient's axes; the affine says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scans.dicom.geometry import Triple
from scans.dicom.refusal import Refused

FILL_HU = -1024
TOLERATED_PX = 0.5
LARGEST_GROWTH = 2.0


@dataclass(frozen=True)
class Lean:
    """How far the origin of each slice lies off the normal through the first one, in pixels (row, column)."""

    offsets: NDArray[np.float64]
    degrees: float

    @property
    def matters(self) -> bool:
        """Whether the stack leans by more than half a pixel from end to end."""
        return bool(np.abs(self.offsets).max(initial=0.0) > TOLERATED_PX)


def lean_of(
    positions: Sequence[Triple],
    row_direction: Triple,
    column_direction: Triple,
    pixel_mm: tuple[float, float],
) -> Lean:
    """The lean of a stack.

    Parameters
    ----------
    positions : LPS mm of the first pixel of each slice, in order.
    row_direction : unit vector along increasing column index; `column_direction` along increasing row index.
    pixel_mm : mm between rows, mm between columns.
    """
    moved = np.asarray(positions, float) - np.asarray(positions[0], float)
    along = np.stack([moved @ np.asarray(column_direction), moved @ np.asarray(row_direction)], axis=1)
    rise = float(np.linalg.norm(moved[-1]))
    lateral = float(np.hypot(*along[-1]))
    degrees = math.degrees(math.asin(min(1.0, lateral / rise))) if rise else 0.0
    return Lean(along / np.asarray(pixel_mm, float), degrees)


def straightened(hu: NDArray[np.int16], lean: Lean) -> tuple[NDArray[np.int16], tuple[float, float]]:
    """The stack moved upright and how many pixels (row, column) its first pixel was moved.

    Returns
    -------
    int16 (z, y, x), wider by the range of the lean and filled with air; origin shift in pixels, at most 0.

    Raises
    ------
    Refused : the stack leans so much that the grid would be more than twice as large.
    """
    first = np.floor(lean.offsets.min(axis=0) + 1e-6)
    size = np.asarray(hu.shape[1:]) + np.ceil(lean.offsets.max(axis=0) - 1e-6) - first
    if np.prod(size) > LARGEST_GROWTH * np.prod(hu.shape[1:]):
        raise Refused("E_GEOM", "The slices lie too far beside each other to make one volume.")
    rows, columns = (int(n) for n in size)
    upright = np.empty((len(hu), rows, columns), np.int16)
    for plane, offset, source in zip(upright, lean.offsets - first, hu, strict=True):
        moved = _shifted(source.astype(np.float32), float(offset[0]), rows)
        moved = _shifted(moved.T, float(offset[1]), columns).T
        plane[...] = np.rint(moved)
    return upright, (float(first[0]), float(first[1]))


def _shifted(plane: NDArray[np.float32], offset: float, length: int) -> NDArray[np.float32]:
    """`plane` moved by `offset` rows (0 or more) within `length` rows of air, linearly interpolated."""
    whole = math.floor(offset + 1e-6)
    part = np.float32(max(offset - whole, 0.0))
    padded = np.full((plane.shape[0] + 2, plane.shape[1]), FILL_HU, np.float32)
    padded[1:-1] = plane
    between = padded[1:] * (1 - part) + padded[:-1] * part if part > 1e-6 else padded[1:]
    moved = np.full((length, plane.shape[1]), FILL_HU, np.float32)
    count = min(len(between), length - whole)
    moved[whole : whole + count] = between[:count]
    return moved
