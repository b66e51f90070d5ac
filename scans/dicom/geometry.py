"""Where a voxel lies in the patient: axis order z, y, x in arrays, LPS millimetres outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Triple = tuple[float, float, float]
Matrix = tuple[Triple, Triple, Triple]


@dataclass(frozen=True)
class Geometry:
    """Placement of a regular grid of voxels in the patient.

    Attributes
    ----------
    shape : (z, y, x) number of slices, rows, columns.
    spacing_mm : (z, y, x) distance between voxel centres in mm, each above 0.
    origin_mm : (x, y, z) LPS centre of voxel (0, 0, 0) in mm.
    direction : three LPS unit vectors, those along increasing x (column), y (row) and z (slice) index
        (DICOM PS3.3 C.7.6.2.1.1; the third is the step between slices, which need not be the normal of a
        tilted stack).
    """

    shape: tuple[int, int, int]
    spacing_mm: Triple
    origin_mm: Triple
    direction: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise ValueError(f"A volume needs at least one voxel along each axis, not {self.shape}.")
        if min(self.spacing_mm) <= 0:
            raise ValueError(f"Voxel spacing must be above 0 mm, not {self.spacing_mm}.")
        if abs(np.linalg.det(np.asarray(self.direction))) < 1e-6:
            raise ValueError("The three axes of the volume do not span space.")

    @property
    def affine(self) -> NDArray[np.float64]:
        """4 x 4 matrix from (x, y, z) index to LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(self.direction, float).T * np.asarray(self.spacing_mm[::-1], float)
        matrix[:3, 3] = self.origin_mm
        return matrix

    def to_mm(self, zyx: ArrayLike) -> NDArray[np.float64]:
        """LPS mm (..., 3) as x, y, z of array indices (..., 3) as z, y, x."""
        index = np.asarray(zyx, float)[..., ::-1]
        return np.asarray(index @ self.affine[:3, :3].T + self.affine[:3, 3])

    def to_index(self, xyz_mm: ArrayLike) -> NDArray[np.float64]:
        """Fractional array indices (..., 3) as z, y, x of LPS mm (..., 3) as x, y, z."""
        shifted = np.asarray(xyz_mm, float) - self.affine[:3, 3]
        return np.asarray(shifted @ np.linalg.inv(self.affine[:3, :3]).T)[..., ::-1]

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in mm3."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))
