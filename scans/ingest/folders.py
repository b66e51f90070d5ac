"""Files on a disk that are to be taken in: folders are walked, a CD's DICOMDIR says what belongs to it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from scans.dicom.part10 import meta_offset
from scans.ingest.arrivals import Refusal

CHUNK = 1 << 20
LITTER = re.compile(r"\.DS_Store|Thumbs\.db|desktop\.ini|\._.*|\.partial.*|.*\.part|.*\.tmp", re.IGNORECASE)
LARGEST_DIRECTORY_BYTES = 256 << 20
DICOMDIR = "DICOMDIR"

MISSING = Refusal(
    "MISSING", "The DICOMDIR names this file, and it is not there. Copy the whole medium again."
)
UNREADABLE = Refusal("UNREADABLE", "The file cannot be read: the medium is damaged, or a right is missing.")


class Unreadable(Exception):
    """A file that is there and cannot be read to its end."""


@dataclass(frozen=True)
class Found:
    """A file as it was seen: another size or time of change makes it another one."""

    path: Path
    size: int
    changed_ns: int

    def chunks(self) -> Iterator[bytes]:
        """Its bytes as they are now.

        Raises
        ------
        Unreadable : the disk, or a right, does not let it be read.
        """
        try:
            with self.path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise Unreadable from error


@dataclass(frozen=True)
class Unusable:
    """A file that is named and not there, or a folder that cannot be opened."""

    path: Path
    refusal: Refusal


def files_in(paths: Iterable[Path]) -> Iterator[Found | Unusable]:
    """The files of these paths, each once, folders in the order of their names.

    A DICOMDIR is followed and not taken itself. Where one lies in a folder, what it does not name is taken
    only if it is DICOM: a CD carries a viewer too, which nobody sent.
    """
    seen: set[Path] = set()
    for path in paths:
        for one in _below(path):
            if one.path not in seen:
                seen.add(one.path)
                yield one


def _below(path: Path) -> Iterator[Found | Unusable]:
    if path.is_dir():
        yield from _walk(path, follows=False)
    elif path.name.upper() == DICOMDIR:
        yield from _named_by(path)
    else:
        yield from _seen(path)


def _walk(folder: Path, *, follows: bool) -> Iterator[Found | Unusable]:
    """Symbolic links are followed to files and not to folders, so that no ring is walked for ever."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield Unusable(folder, UNREADABLE)
        return
    directory = next((e for e in entries if e.name.upper() == DICOMDIR and e.is_file()), None)
    if directory is not None:
        named = list(_named_by(Path(directory.path)))
        follows = follows or bool(named)
        yield from named
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), follows=follows)
        elif entry is not directory and not LITTER.fullmatch(entry.name):
            found = list(_seen(Path(entry.path)))
            if not follows or (found and _is_dicom(found[0].path)):
                yield from found


def _seen(path: Path) -> Iterator[Found]:
    try:
        state = path.stat()
    except OSError:
        return  # gone since the folder was listed
    if path.is_file():
        yield Found(path, state.st_size, state.st_mtime_ns)


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return meta_offset(file.read(132)) is not None
    except OSError:
        return True  # to be refused with its reason


def _named_by(directory: Path) -> Iterator[Found | Unusable]:
    """The files that a DICOMDIR names (PS3.3 annex F, PS3.10 section 8).

    One of which nothing is there has lost its medium: it names nothing that could be missing.
    """
    named = [(name, _inside(directory.parent, name)) for name in _file_ids(directory)]
    if not any(path for _, path in named):
        return
    for name, path in named:
        found: list[Found | Unusable] = list(_seen(path)) if path is not None else []
        yield from found or [Unusable(directory.parent / name[-1], MISSING)]


def _file_ids(directory: Path) -> Iterator[list[str]]:
    """Referenced File IDs (0004,1500); none where the DICOMDIR cannot be read, then its folder speaks."""
    try:
        if directory.stat().st_size > LARGEST_DIRECTORY_BYTES:
            return
        records = dcmread(directory).get("DirectoryRecordSequence") or []
        named = [record.get("ReferencedFileID") for record in records]
    except Exception:  # pydicom raises anything on a damaged file
        return
    for value in named:
        if value:
            yield [value] if isinstance(value, str) else [str(component) for component in value]


def _inside(base: Path, components: list[str]) -> Path | None:
    """The file of these components below `base`, whatever the case in which the medium was mounted.

    None where a component would climb out or nothing of that name is there. ISO 9660 appends `;1`.
    """
    path = base
    for component in components:
        if component in ("", ".", "..") or "/" in component or "\\" in component:
            return None
        path_found = _child(path, component)
        if path_found is None:
            return None
        path = path_found
    return path


def _child(folder: Path, name: str) -> Path | None:
    exact = folder / name
    if exact.exists():
        return exact
    try:
        children = list(folder.iterdir())
    except OSError:
        return None
    wanted = name.casefold()
    return next((c for c in children if c.name.casefold().split(";")[0].rstrip(".") == wanted), None)
