"""Zip files from people: members one by one, those of zips within, and none of the tricks of zips."""

from __future__ import annotations

import io
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from django.conf import settings

from scans import limits
from scans.ingest.arrivals import Refusal

CHUNK = 1 << 20
NOT_FOR_US = ("__MACOSX/", ".DS_Store", "Thumbs.db")
SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
GREATEST_RATIO = 200
"""CT pixels compress about 2 to 4 times; a slice of pure air about 150 times."""

DEEPEST = 1
"""Zips within a zip are opened: a CD's worth of files is often packed study by study. Deeper ones are not."""

TOO_DEEP = Refusal("ZIP_TOO_DEEP", "Zips are packed more than two deep. Unpack them and send the files.")


class ArchiveRefused(Exception):
    """The archive as a whole cannot be taken."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


@dataclass
class _Room:
    """What may still come out of a zip and of those within it, together."""

    files: int = limits.MOST_FILES_PER_ZIP
    unpacked_bytes: int = limits.LARGEST_UNPACKED_BYTES


def is_zip(file: BinaryIO) -> bool:
    """Whether a file begins as a zip does, an empty one included, and is no DICOM with such a preamble."""
    file.seek(0)
    start = file.read(132)
    file.seek(0)
    return start.startswith(SIGNATURES) and start[128:] != b"DICM"


def members(file: BinaryIO) -> Iterator[Iterator[bytes] | Refusal]:
    """Each member as chunks, or why it is refused; the members of a zip within, one level deep.

    Raises
    ------
    ArchiveRefused : the archive is damaged, empty, or would unpack to more than is allowed.
    """
    return _members(file, _Room(), DEEPEST)


def _members(file: BinaryIO, room: _Room, depth: int) -> Iterator[Iterator[bytes] | Refusal]:
    try:
        archive = zipfile.ZipFile(file)
        infos = [info for info in archive.infolist() if not info.is_dir() and not _litter(info.filename)]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise ArchiveRefused("BAD_ZIP", "The zip file is damaged. Pack it again and send it.") from error
    _require_sane(infos, file.seek(0, io.SEEK_END), room)
    with archive:
        for info in infos:
            refusal = _refusal_of(info)
            if refusal is not None:
                yield refusal
            elif not _begins_as_zip(archive, info):
                yield _chunks(archive, info)
            else:
                yield from _within(archive, info, room, depth)


def _begins_as_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    start = b"".join(_chunks(archive, info, at_most=132))
    return is_zip(io.BytesIO(start))


def _within(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, room: _Room, depth: int
) -> Iterator[Iterator[bytes] | Refusal]:
    """The members of a zip that lies in a zip; a bad one is one refused file, and the others go on."""
    if depth == 0:
        yield TOO_DEEP
        return
    with tempfile.SpooledTemporaryFile(4 * CHUNK, dir=settings.FILE_UPLOAD_TEMP_DIR or None) as inner:
        for chunk in _chunks(archive, info):
            inner.write(chunk)
        try:
            yield from _members(inner, room, depth - 1)  # type: ignore[arg-type]
        except ArchiveRefused as refused:
            yield Refusal(refused.code, refused.sentence)


def _litter(name: str) -> bool:
    return name.startswith(NOT_FOR_US[0]) or name.rsplit("/", 1)[-1] in NOT_FOR_US[1:]


def _require_sane(infos: list[zipfile.ZipInfo], size: int, room: _Room) -> None:
    """Hold what the archive declares against what is allowed; `size` is that of the zip itself in bytes.

    Members that share their bytes cannot hide a bomb: the ratio is that to the whole file.
    """
    if not infos:
        raise ArchiveRefused(
            "EMPTY_ZIP", "The zip file is empty. Pack the folder with the images and send it."
        )
    room.files -= len(infos)
    if room.files < 0:
        most = limits.MOST_FILES_PER_ZIP
        raise ArchiveRefused("ZIP_TOO_MANY", f"The zip file holds more than {most} files. Send it in parts.")
    unpacked = sum(info.file_size for info in infos)
    room.unpacked_bytes -= unpacked
    if room.unpacked_bytes < 0 or unpacked / max(size, 1) > GREATEST_RATIO:
        limit = limits.LARGEST_UNPACKED_BYTES >> 30
        sentence = (
            f"The zip file would unpack to far more than it holds (limit {limit} GB). It was not opened."
        )
        raise ArchiveRefused("ZIP_BOMB", sentence)


def _refusal_of(info: zipfile.ZipInfo) -> Refusal | None:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]:
        return Refusal("ZIP_PATH", "The name of this file points outside the zip file. It was not unpacked.")
    if info.flag_bits & 0x1:
        return Refusal("ZIP_ENCRYPTED", "The file is encrypted. Pack it without a password.")
    return None


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, at_most: int | None = None) -> Iterator[bytes]:
    """At most the bytes that the member declares; a damaged one ends early and is refused as truncated."""
    left = info.file_size if at_most is None else min(at_most, info.file_size)
    try:
        with archive.open(info) as member:
            while left > 0 and (chunk := member.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError):
        return
