"""A copy of an object under UIDs of its own."""

from __future__ import annotations

import io
from typing import BinaryIO

from pydicom import dcmread
from pydicom.uid import generate_uid


def under_new_uids(source: BinaryIO, seed: str) -> bytes:
    """The file with new UIDs of study, series and instance; nothing else changes.

    The same seed gives the same new UID for the same old one, so that what belonged together still does.
    """
    source.seek(0)
    dataset = dcmread(source)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, keyword, generate_uid(entropy_srcs=[seed, str(getattr(dataset, keyword))]))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()
