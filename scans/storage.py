"""Files under the hash of their content, on disk before anybody is told that they are stored."""

from __future__ import annotations

import errno
import hashlib
import io
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage

from core.problems import UserError
from scans.durable import Chunks, settle, write

CHUNK = 1 << 20
IN_MEMORY = 4 * CHUNK
"""Longer files wait on the disk; readers of a header are quicker without `SpooledTemporaryFile` between."""

OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)


class StorageFull(UserError):
    """There is no room for what is sent; nothing of it was kept."""

    status = 507


def is_full(error: OSError) -> bool:
    """Whether a write failed because the disk, or the quota of the account on it, is used up."""
    return error.errno in OUT_OF_SPACE


class ContentStorage(FileSystemStorage):
    """Django's file storage with fsync of the file and of its folder before `save` returns."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: File) -> str:  # type: ignore[type-arg]
        (error,) = settle([write(Path(self.path(name)), content.chunks(CHUNK))])
        if error is not None:
            raise error
        return name


class TooLarge(Exception):
    """More bytes came than one file may have."""


@dataclass
class Spooled:
    """Bytes that have arrived: a temporary file, its sha256 and size. Gone when the block ends.

    What is in memory is hashed when somebody asks; what went to the disk was hashed on the way.
    """

    file: BinaryIO
    size: int
    hashed: str = ""

    @property
    def sha256(self) -> str:
        if not self.hashed:
            assert isinstance(self.file, io.BytesIO)  # noqa: S101 - nothing else waits unhashed
            self.hashed = hashlib.sha256(self.file.getbuffer()).hexdigest()
        return self.hashed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    def handed_over(self) -> Spooled:
        """The same bytes with another owner, who closes them."""
        taken = Spooled(self.file, self.size, self.hashed)
        self.file = io.BytesIO()
        return taken

    def chunks(self) -> Iterator[bytes]:
        """The bytes from the first on."""
        if isinstance(self.file, io.BytesIO):
            yield self.file.getvalue()  # no copy; and no view, with which the file could not be closed
            return
        self.file.seek(0)
        while chunk := self.file.read(CHUNK):
            yield chunk

    def start(self, size: int) -> bytes:
        """The first bytes; whoever reads on starts anew."""
        self.file.seek(0)
        start = self.file.read(size)
        self.file.seek(0)
        return start

    def keep(self, folder: str) -> str:
        """Store the bytes for good under their hash; returns the name in the storage."""
        name = content_name(folder, self.sha256)
        if isinstance(default_storage, ContentStorage) or not default_storage.exists(name):
            self.file.seek(0)
            default_storage.save(name, File(self.file))
        return name


def spool(chunks: Chunks, limit: int | None = None) -> Spooled:
    """Gather arriving chunks, long ones in a temporary file; memory does not grow.

    Raises
    ------
    TooLarge : when more than `limit` bytes come.
    """
    file: BinaryIO = io.BytesIO()
    size, digest = 0, None
    try:
        for chunk in chunks:
            size += len(chunk)
            if limit is not None and size > limit:
                raise TooLarge
            if size > IN_MEMORY and isinstance(file, io.BytesIO):
                digest = hashlib.sha256(file.getbuffer())
                file = _moved_to_disk(file)
            if digest is not None:
                digest.update(chunk)
            file.write(chunk)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return Spooled(file, size, digest.hexdigest() if digest else "")


def _moved_to_disk(memory: io.BytesIO) -> BinaryIO:
    file = tempfile.TemporaryFile(  # noqa: SIM115 - the caller closes it with Spooled
        dir=settings.FILE_UPLOAD_TEMP_DIR or None
    )
    try:
        file.write(memory.getbuffer())
    except BaseException:
        file.close()
        raise
    return file


def content_name(folder: str, sha256: str) -> str:
    """Name of a content in the storage, spread over two levels of folders."""
    return f"{folder}/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def put(folder: str, source: BinaryIO) -> str:
    """Store a file that we made (a volume, a key image) under its hash; returns its name."""
    source.seek(0)
    with spool(iter(lambda: source.read(CHUNK), b"")) as spooled:
        return spooled.keep(folder)


def free_bytes() -> int | None:
    """Space left where the storage lies; None where it has no local folder."""
    try:
        return shutil.disk_usage(default_storage.path("")).free
    except (NotImplementedError, FileNotFoundError):
        return None
