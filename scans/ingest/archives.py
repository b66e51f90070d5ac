"""Zip files from people: members one by one, and none of the tricks that zips can play."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from scans import limits
from scans.ingest.arrivals import Refusal

CHUNK = 1 << 20
NOT_FOR_US = ("__MACOSX/", ".DS_Store", "Thumbs.db")
GREATEST_RATIO = 200
"""CT pixels compress about 2 to 4 times; a slice of pure air about 150 times."""


class ArchiveRefused(Exception):
    """The archive as a whole cannot be taken."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def is_zip(file: BinaryIO) -> bool:
    """Whether a file begins as a zip does, an empty one included."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    return start in (b"PK\x03\x04", b"PK\x05\x06")


def members(file: BinaryIO) -> Iterator[Iterator[bytes] | Refusal]:
    """Each member as chunks, or why it is refused.

    Raises
    ------
    ArchiveRefused : the archive is damaged, empty, or would unpack to more than is allowed.
    """
    try:
        archive = zipfile.ZipFile(file)
        infos = [
            info
            for info in archive.infolist()
            if not info.filename.endswith("/") and not _litter(info.filename)
        ]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise ArchiveRefused("BAD_ZIP", "The zip file is damaged. Pack it again and send it.") from error
    _require_sane(infos)
    for info in infos:
        yield _member(archive, info)


def _litter(name: str) -> bool:
    return name.startswith(NOT_FOR_US[0]) or name.rsplit("/", 1)[-1] in NOT_FOR_US[1:]


def _require_sane(infos: list[zipfile.ZipInfo]) -> None:
    if not infos:
        raise ArchiveRefused(
            "EMPTY_ZIP", "The zip file is empty. Pack the folder with the images and send it."
        )
    if len(infos) > limits.MOST_FILES_PER_ZIP:
        most = limits.MOST_FILES_PER_ZIP
        raise ArchiveRefused("ZIP_TOO_MANY", f"The zip file holds more than {most} files. Send it in parts.")
    unpacked = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos) or 1
    if unpacked > limits.LARGEST_UNPACKED_BYTES or unpacked / packed > GREATEST_RATIO:
        limit = limits.LARGEST_UNPACKED_BYTES >> 30
        sentence = (
            f"The zip file would unpack to far more than it holds (limit {limit} GB). It was not opened."
        )
        raise ArchiveRefused("ZIP_BOMB", sentence)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes] | Refusal:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]:
        return Refusal("ZIP_PATH", "The name of this file points outside the zip file. It was not unpacked.")
    if info.flag_bits & 0x1:
        return Refusal("ZIP_ENCRYPTED", "The file is encrypted. Pack it without a password.")
    return _chunks(archive, info)


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """At most the bytes that the member declares; a damaged one ends early and is refused as truncated."""
    left = info.file_size
    try:
        with archive.open(info) as member:
            while left > 0 and (chunk := member.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError):
        return
