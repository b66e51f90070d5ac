"""NIfTI-1 and -2 (.nii, .nii.gz): read and written, between its RAS and our LPS millimetres."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.data.voxels import OpenedVolume, as_hu, named, placed, require_three_axes
from scans.dicom.geometry import Geometry, Triple
from scans.dicom.refusal import Refused

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
MM_PER_UNIT = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}
SAME_SPACING = 1e-4
SCANNER = 1


def read_nifti(path: Path) -> OpenedVolume:
    """The volume of one NIfTI file.

    Raises
    ------
    Refused : not a plain 3D volume, damaged, sheared, or without any statement where the patient lies.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Image):  # Nifti2Image is one, too
            raise Refused("NOT_NIFTI", f"{named(path)} is no NIfTI file. Export it again.")
        shape = _shape(image.shape, path)
        values = np.asanyarray(image.dataobj).reshape(shape[::-1]).transpose(2, 1, 0)
    except (ImageFileError, EOFError, OSError, zlib.error, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise Refused(
            "DAMAGED", f"{named(path)} cannot be read as NIfTI. Copy or export it again."
        ) from error
    return OpenedVolume(as_hu(values, named(path)), _geometry(image, shape, path))


def _shape(stored: tuple[int, ...], path: Path) -> tuple[int, int, int]:
    """(z, y, x); further axes of length 1 are none."""
    shape = tuple(int(n) for n in stored)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return require_three_axes(shape[::-1], named(path))


def _geometry(image: Any, shape: tuple[int, int, int], path: Path) -> Geometry:
    """Placement as the sform says, or the qform; a file with neither leaves left and right to chance."""
    header = image.header
    if not int(header["sform_code"]) and not int(header["qform_code"]):
        raise Refused(
            "E_GEOM", f"{named(path)} does not say where left and right are (sform and qform unset)."
        )
    unit = MM_PER_UNIT[header.get_xyzt_units()[0]]
    affine = RAS_TO_LPS @ np.asarray(image.affine, float)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not (lengths > 0).all():
        raise Refused("E_GEOM", f"{named(path)} states a voxel spacing or position that makes no sense.")
    spacing = _spacing(lengths, header.get_zooms()[:3])
    x, y, z = (_decimal(v) * unit for v in affine[:3, 3])
    axes = (affine[:3, :3] / lengths).T
    steps: Triple = (spacing[2] * unit, spacing[1] * unit, spacing[0] * unit)
    return placed(shape, steps, (x, y, z), axes, named(path))


def _spacing(lengths: NDArray[np.float64], zooms: tuple[float, ...]) -> Triple:
    """Spacing along x, y, z: the header's own figure where the matrix agrees with it."""
    agreed = np.allclose(lengths, zooms, rtol=SAME_SPACING)
    x, y, z = (_decimal(v) for v in (zooms if agreed else lengths))
    return x, y, z


def _decimal(value: float) -> float:
    """The shortest decimal that this single-precision number stands for: 0.72, not 0.7200000286.

    DICOM and MetaImage write decimals; without this the same voxels would lie on grids that differ a little.
    """
    return float(str(np.float32(value)))


def write_nifti(path: Path, hu: NDArray[np.int16], geometry: Geometry) -> None:
    """Write .nii or .nii.gz with sform and qform in scanner coordinates."""
    import nibabel

    affine = RAS_TO_LPS @ geometry.affine
    stored = np.asarray(hu, np.int16).transpose(2, 1, 0)
    image: Any = nibabel.Nifti1Image(stored, affine)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, SCANNER)
    image.set_qform(affine, SCANNER)
    nibabel.save(image, path)
