"""The real series of the data folder beside the project."""

from __future__ import annotations

import tarfile
from pathlib import Path


def files_of(shared: Path, name: str) -> list[bytes]:
    """The DICOM files of a series, as they are in its archive."""
    with tarfile.open(shared / "data" / "dicom" / "series" / f"{name}.tar.xz") as archive:
        members = [member for member in archive if member.isfile() and member.name.endswith(".dcm")]
        return [file.read() for member in members if (file := archive.extractfile(member))]
