"""Files that become durable together: the syncs of a group share the commits of the disk's journal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

Piece = bytes | memoryview
Chunks = Iterable[Piece]


@dataclass(frozen=True)
class Written:
    """A file whose bytes the system has, and the disk perhaps not yet; `settle` gives it its name.

    `file`: open under the name `partial`; None where the target was there already.
    `folders`: those that have a new name in them.
    """

    target: Path
    folders: tuple[Path, ...]
    file: BinaryIO | None = None
    partial: Path = Path()


def write(target: Path, chunks: Chunks) -> Written:
    """Write a file beside its place; one that is there is made young, so that no sweep takes it."""
    try:
        os.utime(target)
    except FileNotFoundError:
        return _write_new(target, chunks)
    return Written(target, (target.parent,))


def _write_new(target: Path, chunks: Chunks) -> Written:
    folders = (target.parent, *(one.parent for one in _make_folder(target.parent)))
    partial = target.parent / f".partial-{os.urandom(8).hex()}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    file = os.fdopen(descriptor, "wb", buffering=0)
    try:
        for chunk in chunks:
            _write_whole(file, memoryview(chunk))
        _send_off(file)
    except BaseException:
        file.close()
        partial.unlink(missing_ok=True)
        raise
    return Written(target, folders, file, partial)


def _send_off(file: BinaryIO) -> None:
    """Before the sync this starts the disk's work; after it, it frees the memory for the next file.

    Originals are read once more, for the volume, and then seldom: they must not push the database out of
    memory, and memory that was just in use is several times cheaper to write into than untouched one.
    """
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _write_whole(file: BinaryIO, chunk: memoryview) -> None:
    while chunk:
        chunk = chunk[file.write(chunk) :]


def settle(files: Sequence[Written]) -> list[OSError | None]:
    """Return when the files are on the disk; what failed leaves nothing there, and has its error."""
    errors = [_synced_and_named(file) for file in files]
    try:
        for folder in {folder for file in files for folder in file.folders}:
            _sync_folder(folder)
    except OSError as failed:
        return [error or failed for error in errors]
    return errors


def drop(files: Sequence[Written]) -> None:
    """Forget files that nobody waits for any more."""
    for file in files:
        if file.file is not None:
            file.file.close()
            file.partial.unlink(missing_ok=True)


def _synced_and_named(file: Written) -> OSError | None:
    if file.file is None:
        return None
    try:
        with file.file:
            os.fsync(file.file.fileno())
            _send_off(file.file)
        os.replace(file.partial, file.target)
    except OSError as error:
        file.partial.unlink(missing_ok=True)
        return error
    return None


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it; returns the ones that were not there."""
    if folder.exists():
        return []
    made = [folder, *_make_folder(folder.parent)]
    folder.mkdir(exist_ok=True)
    return made


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
