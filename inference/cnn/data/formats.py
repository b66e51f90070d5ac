"""One way to open a CT volume, whatever it is stored as: DICOM folder, MetaImage or NIfTI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.cnn.data.dicom_folder import read_dicom_folder
from inference.cnn.data.metaimage import read_metaimage, write_metaimage
from inference.cnn.data.nifti import read_nifti, write_nifti
from inference.cnn.data.voxels import OpenedVolume
from scans.dicom.geometry import Geometry
from scans.dicom.refusal import Refused

METAIMAGE = (".mhd", ".mha")
NIFTI = (".nii", ".nii.gz")
KNOWN = "a folder of DICOM files, .mhd with its .raw, .mha, .nii or .nii.gz"


def open_volume(path: Path | str) -> OpenedVolume:
    """`hu` (int16, z, y, x) and `geometry` of a CT volume: `read_volume(*open_volume(path))`.

    The same voxels give the same array values, and the same place in the patient, in every format; the order
    of rows and slices is kept as stored and told by the geometry.

    Raises
    ------
    Refused : with a code and a sentence that says what is wrong and what to do.
    FileNotFoundError : there is nothing at `path`.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_dir():
        return read_dicom_folder(path)
    name = path.name.lower()
    if name.endswith(METAIMAGE):
        return read_metaimage(path)
    if name.endswith(NIFTI):
        return read_nifti(path)
    raise Refused("UNKNOWN_FORMAT", f"{path.name} is not a volume that can be opened: give {KNOWN}.")


def save_volume(
    path: Path | str, hu: NDArray[np.int16], geometry: Geometry, *, compressed: bool = False
) -> None:
    """Write a volume as MetaImage or NIfTI, as the name says; `compressed` is for MetaImage."""
    path = Path(path)
    name = path.name.lower()
    if name.endswith(METAIMAGE):
        write_metaimage(path, hu, geometry, compressed=compressed)
    elif name.endswith(NIFTI):
        write_nifti(path, hu, geometry)
    else:
        raise ValueError(f"{path.name}: volumes are written as .mhd, .mha, .nii or .nii.gz.")
