"""Which files of a folder are sent, and what their first bytes say of them."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LITTER = re.compile(r"\.DS_Store|Thumbs\.db|desktop\.ini|\._.*", re.IGNORECASE)
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
HEAD = 2048
MOST_FILES = 25
MOST_BYTES = 15 << 20
LONG_VR = (b"OB", b"OW", b"UN", b"SQ", b"UT", b"UC", b"UR")


@dataclass(frozen=True)
class Local:
    """A file as it was found. `uid` is the SOP instance UID of its file header, "" where it has none."""

    path: Path
    name: str
    size: int
    changed_ns: int
    uid: str = ""
    is_zip: bool = False


def files_in(paths: Iterable[Path]) -> Iterator[Local]:
    """The files to send, by name; a DICOMDIR is none, and beside one only DICOM files are sent."""
    for path in paths:
        if path.is_dir():
            yield from _walk(path, path, medium=False)
        elif (local := _local(path, path.parent)[0]) is not None:
            yield local


def _walk(folder: Path, root: Path, *, medium: bool) -> Iterator[Local]:
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    medium = medium or any(entry.name.upper() == "DICOMDIR" for entry in entries)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), root, medium=medium)
        elif entry.is_file() and not LITTER.fullmatch(entry.name):
            local, is_dicom = _local(Path(entry.path), root)
            if local is not None and (is_dicom or not medium):
                yield local


def _local(path: Path, root: Path) -> tuple[Local | None, bool]:
    """The file, None for a DICOMDIR; and whether it begins as DICOM. One without a header may still be."""
    state = path.stat()
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        head = b""  # said when it is sent
    meta = file_header(head)
    if meta.get(2) == MEDIA_DIRECTORY:
        return None, True
    name = path.relative_to(root).as_posix()
    is_zip = head.startswith(b"PK\x03\x04") and head[128:132] != b"DICM"
    return Local(path, name, state.st_size, state.st_mtime_ns, meta.get(3, ""), is_zip), bool(meta)


def file_header(head: bytes) -> dict[int, str]:
    """Elements of group 0002 by their number, as far as the first bytes hold them (PS3.10 section 7.1)."""
    offset = 132 if head[128:132] == b"DICM" else 4 if head.startswith(b"DICM") else 0
    found: dict[int, str] = {}
    while head[offset : offset + 2] == b"\2\0" and offset + 12 <= len(head):
        element, vr, short = struct.unpack_from("<H2sH", head, offset + 2)
        if not vr.isalpha():
            break
        long = vr in LONG_VR
        size = struct.unpack_from("<I", head, offset + 8)[0] if long else short
        offset += 12 if long else 8
        found[element] = head[offset : offset + size].decode("ascii", "replace").strip("\0 ")
        offset += size
    return found


def groups(files: Iterable[Local]) -> Iterator[list[Local]]:
    """What one request carries: at most 25 files or 15 MB; a larger file and a zip go alone."""
    group: list[Local] = []
    size = 0
    for one in files:
        if one.is_zip:
            yield [one]
            continue
        if group and (len(group) >= MOST_FILES or size + one.size > MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(one)
        size += one.size
    if group:
        yield group
