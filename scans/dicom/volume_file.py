"""A volume in one file, slice by slice compressed, so that a slice can be sent as it lies on disk.

Layout: ``LPV1``, length and crc32 of the header (two little-endian uint32), the header as JSON, then the
slices. Each slice is little-endian int16 (y, x) in zlib format, which is what HTTP calls
``Content-Encoding: deflate``. The header holds offset (from the end of the header), length and crc32 of each.
"""

from __future__ import annotations

import json
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from scans.dicom.decoding import cores
from scans.dicom.geometry import Geometry
from scans.dicom.refusal import Refused
from scans.dicom.volume import BuiltVolume, volume_digest

MAGIC = b"LPV1"
LEVEL = 1
LARGEST_HEADER = 16 << 20


def write_volume(file: BinaryIO, volume: BuiltVolume) -> None:
    """Write `volume` at the present place of a binary file."""
    with ThreadPoolExecutor(cores()) as pool:
        blocks = list(pool.map(_compressed, volume.hu))
    header = json.dumps(_header(volume, blocks)).encode()
    file.write(MAGIC + struct.pack("<LL", len(header), zlib.crc32(header)) + header)
    for block in blocks:
        file.write(block)


def _compressed(plane: NDArray[np.int16]) -> bytes:
    return zlib.compress(np.ascontiguousarray(plane, "<i2").data, LEVEL)


def _header(volume: BuiltVolume, blocks: list[bytes]) -> dict[str, Any]:
    geometry = volume.geometry
    offsets = np.cumsum([0, *(len(block) for block in blocks)]).tolist()
    return {
        "shape": geometry.shape,
        "spacing_mm": geometry.spacing_mm,
        "origin_mm": geometry.origin_mm,
        "direction": geometry.direction,
        "digest": volume.digest,
        "sop_instance_uids": volume.sop_instance_uids,
        "instance_numbers": volume.instance_numbers,
        "positions_mm": volume.positions_mm,
        "duplicates": volume.duplicates,
        "conflicts": volume.conflicts,
        "unsheared_degrees": volume.unsheared_degrees,
        "slices": [[offsets[k], len(block), zlib.crc32(block)] for k, block in enumerate(blocks)],
    }


class VolumeReader:
    """Reads a volume file; each answer is checked against its checksum.

    Raises
    ------
    Refused : with code ``VOLUME_DAMAGED``; the volume can be built again from its instances.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(0)
        head = file.read(12)
        if len(head) != 12 or not head.startswith(MAGIC):
            raise _damaged()
        length, checksum = struct.unpack("<LL", head[4:])
        header = file.read(length) if length <= LARGEST_HEADER else b""
        if zlib.crc32(header) != checksum or len(header) != length:
            raise _damaged()
        self._start = 12 + length
        self._header: dict[str, Any] = json.loads(header)

    @property
    def geometry(self) -> Geometry:
        stored = self._header
        rows = [tuple(vector) for vector in stored["direction"]]
        return Geometry(
            tuple(stored["shape"]),
            tuple(stored["spacing_mm"]),
            tuple(stored["origin_mm"]),
            (rows[0], rows[1], rows[2]),
        )

    @property
    def digest(self) -> str:
        return str(self._header["digest"])

    @property
    def sop_instance_uids(self) -> tuple[str, ...]:
        return tuple(self._header["sop_instance_uids"])

    @property
    def instance_numbers(self) -> tuple[int | None, ...]:
        return tuple(self._header["instance_numbers"])

    def slice_bytes(self, k: int) -> bytes:
        """Slice `k` as it lies in the file: little-endian int16 (y, x), zlib format."""
        if k < 0:
            raise IndexError("Slices are counted from 0.")
        offset, length, checksum = self._header["slices"][k]
        self._file.seek(self._start + offset)
        block = self._file.read(length)
        if zlib.crc32(block) != checksum:
            raise _damaged()
        return block

    def slice(self, k: int) -> NDArray[np.int16]:
        """Slice `k` in HU (y, x)."""
        return self._unpacked(self.slice_bytes(k))

    def _unpacked(self, block: bytes) -> NDArray[np.int16]:
        _, rows, columns = self._header["shape"]
        plane = np.frombuffer(zlib.decompress(block), "<i2")
        if plane.size != rows * columns:
            raise _damaged()
        return plane.reshape(rows, columns).astype(np.int16, copy=False)

    def read(self) -> BuiltVolume:
        """The whole volume, its digest checked."""
        geometry = self.geometry
        hu = np.empty(geometry.shape, np.int16)
        with ThreadPoolExecutor(cores()) as pool:
            for k, plane in enumerate(pool.map(self._unpacked, map(self.slice_bytes, range(len(hu))))):
                hu[k] = plane
        if volume_digest(hu, geometry) != self.digest:
            raise _damaged()
        stored = self._header
        return BuiltVolume(
            hu,
            geometry,
            self.digest,
            self.sop_instance_uids,
            self.instance_numbers,
            tuple(stored["positions_mm"]),
            stored["duplicates"],
            stored["conflicts"],
            stored.get("unsheared_degrees", 0.0),
        )


def _damaged() -> Refused:
    return Refused("VOLUME_DAMAGED", "The stored volume is damaged. It will be built again from its images.")
