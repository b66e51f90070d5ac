"""Slices for the browser: HU as little-endian int16, zlib-compressed as they lie in the storage."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from scans.dicom.pixels import decode
from scans.models import Series, Volume
from scans.volumes import open_instance, open_volume


@dataclass(frozen=True)
class Slice:
    """One slice: zlib bytes of little-endian int16 (rows, columns), and a tag that follows its content."""

    body: bytes
    rows: int
    columns: int
    tag: str


def slice_of_volume(volume: Volume, index: int) -> Slice | None:
    """A slice of a built volume, unchanged from the storage."""
    if not 0 <= index < volume.shape[0]:
        return None
    body = open_volume(volume).slice_bytes(index)
    return Slice(body, volume.shape[1], volume.shape[2], f"{volume.digest[:32]}-{index}")


def slice_of_instance(series: Series, index: int) -> Slice | None:
    """The image at that place of a series without a volume, decoded on the way.

    Raises
    ------
    Refused : its pixels cannot be decoded.
    """
    if not 0 <= index < series.instance_count:
        return None
    instance = series.instances.in_slice_order()[index : index + 1].first()
    if instance is None:
        return None
    with open_instance(instance) as file:
        plane = decode(file)
    body = zlib.compress(np.ascontiguousarray(plane, "<i2").tobytes(), 1)
    return Slice(body, plane.shape[0], plane.shape[1], instance.sha256[:32])
