"""A real series as a volume, by the plainest loop, independent of the product's own way in."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from scans.dicom.geometry import Geometry
from tests.real_series import files_of


def volume_of(shared: Path, name: str) -> tuple[NDArray[np.int16], Geometry]:
    """HU and placement, slices sorted along the normal."""
    slices = [pydicom.dcmread(BytesIO(content)) for content in files_of(shared, name)]
    along_x, along_y = np.reshape([float(v) for v in slices[0].ImageOrientationPatient], (2, 3))
    normal = np.cross(along_x, along_y)
    places = [np.array([float(v) for v in s.ImagePositionPatient]) for s in slices]
    order = np.argsort([p @ normal for p in places])
    hu = np.stack([_hu(slices[i]) for i in order])
    step = (places[order[-1]] - places[order[0]]) / (len(order) - 1)
    dz = float(np.linalg.norm(step))
    dy, dx = (float(v) for v in slices[0].PixelSpacing)
    rows = [tuple(float(v) for v in row) for row in (along_x, along_y, step / dz)]
    x, y, z = (float(v) for v in places[order[0]])
    return hu, Geometry(hu.shape, (dz, dy, dx), (x, y, z), (rows[0], rows[1], rows[2]))  # type: ignore[arg-type]


def _hu(dataset: pydicom.Dataset) -> NDArray[np.int16]:
    stored = dataset.pixel_array.astype(np.float64)
    return np.clip(
        stored * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept), -32768, 32767
    ).astype(np.int16)
