"""Frames of an instance as bytes: as they are stored, or uncompressed (PS3.5 section 8 and annex A)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import numpy as np
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian

from scans.dicom import attributes as a
from scans.dicom.image import Image
from scans.dicom.part10 import PIXEL_DATA, Part10, open_part10
from scans.dicom.pixels import damage_refused
from scans.dicom.refusal import Refused


@dataclass(frozen=True)
class Frames:
    """The frames of an opened file, read one by one; counted from 0."""

    part10: Part10
    count: int

    @property
    def syntax(self) -> UID:
        return UID(self.part10.transfer_syntax_uid)

    @property
    def compressed(self) -> bool:
        return self.part10.pixels is not None and self.part10.pixels.fragments is not None

    def stored(self, index: int) -> bytes:
        """One frame as it lies in the file: compressed, or native little-endian bytes.

        Raises
        ------
        Refused : the pixels are damaged.
        """
        return self._encoded(index) if self.compressed else self._native(index)

    def native(self, index: int) -> bytes:
        """One frame uncompressed, little endian.

        Raises
        ------
        Refused : the pixels are damaged, or encoded in a way that cannot be decoded here.
        """
        if not self.compressed:
            return self._native(index)
        with damage_refused():
            return self._image.stored(index).tobytes()

    def whole(self) -> Iterator[bytes]:
        """All native frames one after the other, as they fill the pixel element; little endian."""
        if _bits_of_a_frame(self.part10.dataset) % 8:
            pixels = self.part10.pixels
            assert pixels is not None  # noqa: S101 - `open_frames` has seen it
            self.part10.body.seek(pixels.offset)
            yield self.part10.body.read(pixels.length)
        else:
            yield from (self._native(index) for index in range(self.count))

    @cached_property
    def _image(self) -> Image:
        return Image(self.part10)

    def _encoded(self, index: int) -> bytes:
        pixels = self.part10.pixels
        assert pixels is not None  # noqa: S101 - `open_frames` has seen it
        offsets = _extended_offsets(self.part10.dataset)
        self.part10.body.seek(pixels.offset)
        try:
            return get_frame(self.part10.body, index, extended_offsets=offsets, number_of_frames=self.count)
        except (ValueError, IndexError) as error:
            raise _damaged() from error

    def _native(self, index: int) -> bytes:
        pixels, dataset = self.part10.pixels, self.part10.dataset
        assert pixels is not None  # noqa: S101 - as above
        bits = _bits_of_a_frame(dataset)
        first, end = index * bits, (index + 1) * bits
        self.part10.body.seek(pixels.offset + first // 8)
        raw = self.part10.body.read((end + 7) // 8 - first // 8)
        if len(raw) * 8 < bits:
            raise _damaged()
        if bits % 8:
            return _repacked(raw, first % 8, bits)
        if self.syntax == ExplicitVRBigEndian and dataset.BitsAllocated > 8:
            return np.frombuffer(raw, f">u{dataset.BitsAllocated // 8}").byteswap().tobytes()
        return raw


def open_frames(stream: BinaryIO) -> Frames:
    """Open a file for its frames.

    Raises
    ------
    Refused : it holds no pixels.
    """
    part10 = open_part10(stream)
    if part10.pixels is None or part10.pixels.tag != PIXEL_DATA or not part10.pixels.length:
        raise Refused("NO_PIXELS", "The instance holds no pixels. Ask for the instance itself.")
    return Frames(part10, max(a.integer(part10.dataset, "NumberOfFrames") or 1, 1))


def can_decode(syntax: str) -> bool:
    """Whether pixels of a transfer syntax can be decoded here at all."""
    try:
        return bool(get_decoder(UID(syntax)).is_available)
    except NotImplementedError:
        return False


def _bits_of_a_frame(dataset: Dataset) -> int:
    samples = a.integer(dataset, "SamplesPerPixel") or 1
    bits: int = dataset.Rows * dataset.Columns * samples * dataset.BitsAllocated
    subsampled = a.text(dataset, "PhotometricInterpretation") == "YBR_FULL_422"
    return bits // 3 * 2 if subsampled else bits


def _repacked(raw: bytes, skipped: int, bits: int) -> bytes:
    """A frame of single bits that starts or ends within a byte, moved to the start of one (PS3.5 8.1.1)."""
    unpacked = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
    return np.packbits(unpacked[skipped : skipped + bits], bitorder="little").tobytes()


def _extended_offsets(dataset: Dataset) -> tuple[bytes, bytes] | None:
    offsets, lengths = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    return (offsets, lengths) if offsets and lengths else None


def _damaged() -> Refused:
    return Refused("PIXELS_DAMAGED", "The pixels are damaged and cannot be sent. Send the image again.")
