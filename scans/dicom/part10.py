"""Open a DICOM file as far as its pixels, and prove that all the bytes that it announces are there.

pydicom reads a cut-off file without complaint, so each announced length is held against the length of the
file (DICOM PS3.5 section 7.1, PS3.10 section 7.1) before its value is read.
"""

from __future__ import annotations

import io
import re
import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from pydicom import Dataset, config
from pydicom.filereader import data_element_generator, read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from scans.dicom.refusal import Refused

UNDEFINED = 0xFFFFFFFF
LARGEST_VALUE = 1 << 20
LARGEST_HEADER = 32 << 20
UID_PATTERN = re.compile(r"[0-9.]{1,64}")
INFLATED_PIECE = 1 << 20
INFLATED_IN_MEMORY = 4 << 20
PIXEL_DATA = 0x7FE00010
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
ITEM, SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)

# Values come from any scanner of the last thirty years: they are judged here, not warned about.
config.settings.reading_validation_mode = config.IGNORE


@dataclass(frozen=True)
class PixelElement:
    """Where the pixels lie in the body: bytes `offset` to `end`, of which `length` are pixels.

    `fragments` are offset and length of each piece of encapsulated pixels, None of native ones; `vr` is
    None in implicit VR.
    """

    tag: int
    offset: int
    end: int
    length: int
    fragments: tuple[tuple[int, int], ...] | None
    vr: str | None = None


@dataclass(frozen=True)
class Part10:
    """An opened file: everything before the pixels, and where the pixels are."""

    dataset: Dataset
    transfer_syntax_uid: str
    media_sop_class_uid: str
    body: BinaryIO
    pixels: PixelElement | None


def open_part10(stream: BinaryIO) -> Part10:
    """Read the header of a DICOM Part 10 file, leaving its pixels unread.

    Raises
    ------
    Refused : the file is no DICOM, is a media directory, or ends before its announced end.
    """
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    meta = _file_meta(stream, size)
    syntax = UID(str(meta.get("TransferSyntaxUID", "")).strip("\0 "))
    if not UID_PATTERN.fullmatch(syntax):
        raise Refused("NOT_DICOM", "The file names no transfer syntax. Export it again as DICOM Part 10.")
    sop_class = str(meta.get("MediaStorageSOPClassUID", "")).strip("\0 ")
    if sop_class == MEDIA_DIRECTORY:
        raise Refused("DICOMDIR", "A DICOMDIR lists other files and holds no image. It was skipped.")
    body, size = _inflated(stream, size) if syntax == DeflatedExplicitVRLittleEndian else (stream, size)
    dataset, pixels = _up_to_pixels(body, size, syntax)
    return Part10(dataset, str(syntax), sop_class, body, pixels)


def meta_offset(head: bytes) -> int | None:
    """Where the file meta information begins, from the first 132 bytes; None where there is none.

    After preamble and prefix (PS3.10 section 7.1); some writers leave out the preamble, or the prefix too.
    """
    if head[128:132] == b"DICM":
        return 132
    offset = 4 if head.startswith(b"DICM") else 0
    return offset if head[offset : offset + 6] in (b"\2\0\0\0UL", b"\2\0\1\0OB") else None


def _file_meta(stream: BinaryIO, size: int) -> Dataset:
    offset = meta_offset(stream.read(132))
    if offset is None:
        raise Refused("NOT_DICOM", "This is not a DICOM file. Send the original files of the scanner.")
    stream.seek(offset)
    watch = _length_watch(stream, size, lambda tag: tag >> 16 != 2)
    elements = data_element_generator(stream, False, True, stop_when=watch)
    meta = Dataset({element.tag: element for element in elements})
    if not meta:
        raise Refused("NOT_DICOM", "The file has no DICOM file header. Export it again as DICOM Part 10.")
    return meta


def truncated() -> Refused:
    """The verdict on a file that ends early."""
    return Refused("TRUNCATED", "The file ends before its announced end. Send it again in full.")


def _length_watch(
    stream: BinaryIO, size: int, stops: Callable[[int], bool]
) -> Callable[[BaseTag, str | None, int], bool]:
    """A `stop_when` for pydicom that looks at each announced length before the value is read."""
    kept = 0

    def watch(tag: BaseTag, vr: str | None, length: int) -> bool:
        nonlocal kept
        if stops(int(tag)):
            return True
        if length != UNDEFINED:
            if stream.tell() + length > size:
                raise truncated()
            kept += length if length <= LARGEST_VALUE else 0
        if kept > LARGEST_HEADER:
            raise Refused("TOO_LARGE", "The header of the file is larger than 32 MB. Send a plain image.")
        return False

    return watch


def _inflated(stream: BinaryIO, size: int) -> tuple[BinaryIO, int]:
    """The inflated body of a deflated file (PS3.5 A.5); never more than 20 times its size and 64 MiB.

    It is unpacked piece by piece into a temporary file, so that a bomb fills no memory.
    """
    limit = (64 << 20) + 20 * size
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = tempfile.SpooledTemporaryFile(max_size=INFLATED_IN_MEMORY)  # noqa: SIM115 - the caller reads it
    try:
        while not inflater.eof and (piece := inflater.unconsumed_tail or stream.read(INFLATED_PIECE)):
            body.write(inflater.decompress(piece, INFLATED_PIECE))
            if body.tell() > limit:
                raise Refused(
                    "TOO_LARGE", "The deflated file unpacks to an implausible size. Send it uncompressed."
                )
        body.write(b"" if inflater.eof else inflater.flush())
    except zlib.error as error:
        raise Refused("DAMAGED", "The deflated file is damaged. Send it again in full.") from error
    if not inflater.eof:
        raise truncated()
    unpacked = body.tell()
    body.seek(0)
    return body, unpacked  # type: ignore[return-value]


def _up_to_pixels(body: BinaryIO, size: int, syntax: UID) -> tuple[Dataset, PixelElement | None]:
    found: list[tuple[int, int, int, str | None]] = []
    start = body.tell()
    watch = _length_watch(body, size, lambda tag: tag in PIXEL_TAGS)

    def stop(tag: BaseTag, vr: str | None, length: int) -> bool:
        stops = watch(tag, vr, length)
        if stops:
            found.append((int(tag), body.tell(), length, vr))
        return stops

    body.seek(start)
    dataset = read_dataset(
        body,
        syntax == ImplicitVRLittleEndian,
        syntax != ExplicitVRBigEndian,
        stop_when=stop,
        defer_size=LARGEST_VALUE,
    )
    _drop_unread(dataset)
    if not found:
        if body.tell() != size:
            raise truncated()
        return dataset, None
    return dataset, _pixel_element(body, size, *found[0])


def _drop_unread(dataset: Dataset) -> None:
    """Leave out values above 1 MiB, which were skipped: they are bulk data."""
    unread = [
        tag
        for tag, element in dataset._dict.items()
        if getattr(element, "length", 0) not in (0, UNDEFINED) and element.value is None
    ]
    for tag in unread:
        del dataset[tag]


def _pixel_element(
    body: BinaryIO, size: int, tag: int, offset: int, length: int, vr: str | None
) -> PixelElement:
    if length != UNDEFINED:
        if offset + length > size:
            raise truncated()
        return PixelElement(tag, offset, offset + length, length, None, vr)
    body.seek(offset)
    fragments = tuple(_fragments(body, size))
    return PixelElement(tag, offset, body.tell(), sum(length for _, length in fragments), fragments, vr)


def _fragments(body: BinaryIO, size: int) -> list[tuple[int, int]]:
    """Offset and length of each item of encapsulated pixels (PS3.5 A.4), the offset table left out."""
    items: list[tuple[int, int]] = []
    while len(head := body.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", head)
        if (group, element) == SEQUENCE_END:
            return items[1:]
        if (group, element) != ITEM:
            raise Refused("DAMAGED", "The compressed pixels of the file are damaged. Send it again.")
        items.append((body.tell(), length))
        if body.tell() + length > size:
            raise truncated()
        body.seek(length, io.SEEK_CUR)
    raise truncated()
