"""What every file format of volumes has in common: Hounsfield units and a placement that can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scans.dicom.geometry import Geometry, Matrix, Triple
from scans.dicom.pixels import AIR_HU
from scans.dicom.refusal import Refused
from scans.dicom.volume import LARGEST_VOLUME

ORTHONORMAL = 1e-3
LARGEST_HU = 32767


class OpenedVolume(NamedTuple):
    """`hu` int16 (z, y, x) with its placement: `read_volume(*open_volume(path))`."""

    hu: NDArray[np.int16]
    geometry: Geometry


def as_hu(values: NDArray[Any], name: str) -> NDArray[np.int16]:
    """Stored numbers as int16 HU, rounded; below air is air, as in a DICOM series.

    Raises
    ------
    Refused : values that are no numbers or infinite, or that cannot be Hounsfield units.
    """
    if values.dtype.kind not in "iuf":
        raise Refused("NOT_HU", f"{name} holds colour or complex values; Hounsfield units are plain numbers.")
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise Refused(
                "NOT_FINITE", f"{name} holds values that are no numbers (NaN or infinite). Export it again."
            )
        values = np.rint(values)
    if values.max(initial=0) > LARGEST_HU:
        raise Refused("NOT_HU", f"{name} holds values above {LARGEST_HU}: these are no Hounsfield units.")
    return np.ascontiguousarray(np.clip(values, AIR_HU, LARGEST_HU), np.int16)


def require_three_axes(shape: tuple[int, ...], name: str) -> tuple[int, int, int]:
    """The (z, y, x) shape, or a refusal of pictures, time series and volumes that are too large."""
    if len(shape) != 3:
        raise Refused(
            "NOT_3D", f"{name} has {len(shape)} axes; one CT volume has three. Export a single volume."
        )
    if min(shape) < 1:
        raise Refused("EMPTY", f"{name} holds no voxels.")
    if int(np.prod(shape, dtype=np.int64)) > LARGEST_VOLUME:
        raise Refused("TOO_LARGE", f"{name} has more than 2 GB of voxels and is not read.")
    return shape[0], shape[1], shape[2]


def placed(
    shape: tuple[int, int, int], spacing_mm: Triple, origin_mm: Triple, axes: NDArray[np.float64], name: str
) -> Geometry:
    """Geometry from spacing (z, y, x), origin (x, y, z) and `axes`: LPS vectors along x, y and z index.

    Raises
    ------
    Refused : spacing that is none, or axes that are not at right angles (a sheared volume).
    """
    if not (np.isfinite(spacing_mm).all() and np.isfinite(origin_mm).all() and min(spacing_mm) > 0):
        raise Refused("E_GEOM", f"{name} states a voxel spacing or position that makes no sense.")
    if not (np.abs(axes @ axes.T - np.eye(3)) < ORTHONORMAL).all():
        raise Refused(
            "SHEARED",
            f"The axes of {name} are not at right angles (tilted or sheared). Resample it first.",
        )
    rows = [tuple(float(v) + 0.0 for v in row) for row in axes]
    direction: Matrix = (rows[0], rows[1], rows[2])  # type: ignore[assignment]
    return Geometry(shape, spacing_mm, origin_mm, direction)


def named(path: Path) -> str:
    """How a file is called in a message: its name, without the folders."""
    return path.name
