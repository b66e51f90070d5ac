"""The same volume with its axes along the patient's: z to the head, y to the back, x to the left."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scans.dicom.geometry import Geometry

Voxel = TypeVar("Voxel", bound=np.generic)


@dataclass(frozen=True)
class Standard:
    """A view of a volume in standard axis order, and the way back.

    `axes[i]` is the axis of the given volume that became axis i; `flipped[i]` whether it was reversed.
    """

    hu: NDArray[np.int16]
    geometry: Geometry
    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def back(self, mask: NDArray[Voxel]) -> NDArray[Voxel]:
        """A mask or map of the standard volume with the axes of the given one."""
        turned = mask[tuple(slice(None, None, -1) if f else slice(None) for f in self.flipped)]
        return np.ascontiguousarray(turned.transpose(np.argsort(self.axes)))

    def back_box(
        self, start: tuple[int, int, int], mask: NDArray[Voxel]
    ) -> tuple[tuple[int, int, int], NDArray[Voxel]]:
        """First voxel and mask (or map) of a part, with the axes of the given volume."""
        first = [
            n - s - m if f else s
            for s, m, n, f in zip(start, mask.shape, self.geometry.shape, self.flipped, strict=True)
        ]
        order = np.argsort(self.axes)
        z, y, x = (int(first[i]) for i in order)
        return (z, y, x), self.back(mask)


def standard(hu: NDArray[np.int16], geometry: Geometry) -> Standard:
    """Exchange and reverse axes so that each lies as near as can be to z, y and x of the patient."""
    along = np.asarray(geometry.direction, float)[
        ::-1, ::-1
    ]  # array axis (z, y, x) by patient axis (z, y, x)
    best = max(permutations(range(3)), key=lambda p: sum(abs(along[p[i], i]) for i in range(3)))
    axes = (best[0], best[1], best[2])
    flipped = (bool(along[axes[0], 0] < 0), bool(along[axes[1], 1] < 0), bool(along[axes[2], 2] < 0))
    view = hu.transpose(axes)[tuple(slice(None, None, -1) if f else slice(None) for f in flipped)]
    corner = [0, 0, 0]
    for i, axis in enumerate(axes):
        corner[axis] = geometry.shape[axis] - 1 if flipped[i] else 0
    x_mm, y_mm, z_mm = (float(v) for v in geometry.to_mm(corner))
    rows = [along[axis, ::-1] * (-1 if f else 1) for axis, f in zip(axes, flipped, strict=True)]
    direction = tuple(tuple(float(v) for v in row) for row in rows[::-1])
    spacing = tuple(geometry.spacing_mm[axis] for axis in axes)
    shape = tuple(geometry.shape[axis] for axis in axes)
    return Standard(view, Geometry(shape, spacing, (x_mm, y_mm, z_mm), direction), axes, flipped)  # type: ignore[arg-type]
