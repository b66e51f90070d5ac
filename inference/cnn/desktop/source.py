"""What a person opens: a scan (DICOM folder, MetaImage, NIfTI) or one picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.cnn.data.formats import KNOWN, METAIMAGE, NIFTI, open_volume
from inference.cnn.slices.opening import Picture, open_picture
from scans.dicom.geometry import Geometry
from scans.dicom.refusal import Refused

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm")
LARGEST_PICTURE_BYTES = 64 << 20


@dataclass(frozen=True)
class Scan:
    """A volume in HU (z, y, x) with its placement; `name` is that of the file or folder."""

    name: str
    hu: NDArray[np.int16]
    geometry: Geometry

    @property
    def slices(self) -> int:
        return int(self.hu.shape[0])


@dataclass(frozen=True)
class Single:
    """One picture."""

    name: str
    picture: Picture

    @property
    def slices(self) -> int:
        return 1


Source = Scan | Single


def open_source(path: Path) -> Source:
    """Open whatever lies at `path`.

    Raises
    ------
    Refused : nothing that can be read; the sentence says what to do.
    FileNotFoundError : there is nothing at `path`.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_dir() or path.name.lower().endswith(METAIMAGE + NIFTI):
        volume = open_volume(path)
        return Scan(path.name, volume.hu, volume.geometry)
    if path.suffix.lower() in PICTURES or not path.suffix:
        if path.stat().st_size > LARGEST_PICTURE_BYTES:
            raise Refused("TOO_LARGE", f"{path.name} is too large for one picture. Open its folder instead.")
        return Single(path.name, open_picture(path.read_bytes()))
    raise Refused("UNKNOWN_FORMAT", f"{path.name} cannot be opened. Give a picture, or {KNOWN}.")
