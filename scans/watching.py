"""A folder that is looked into again and again: which files are whole, and which are done."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from scans.ingest.folders import Found, Unusable, files_in

SETTLED_S = 2.0
"""A file is taken as whole when neither its size nor its time has changed for so long."""

Clock = Callable[[], float]


class Memory:
    """What was done, in a file that outlives a crash; of each file a hash only, names are patients' names.

    A line is written after the commit: a crash between the two sends a file again, as a duplicate.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text() if file.exists() else ""
        self._known = set(text.split())
        if text and not text.endswith("\n"):
            with file.open("a") as cut:
                cut.write("\n")  # a crash cut the last line off: the next one must not be glued to it

    def holds(self, found: Found) -> bool:
        return _key(found) in self._known

    def add(self, done: Iterable[Found]) -> None:
        keys = [_key(one) for one in done]
        with self._file.open("a") as file:
            file.writelines(f"{key}\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        self._known.update(keys)


def _key(found: Found) -> str:
    told = f"{found.path.absolute()}\0{found.size}\0{found.changed_ns}"
    return hashlib.sha256(os.fsencode(told)).hexdigest()


class Watch:
    """Looks into folders and hands out the files that are whole and new."""

    def __init__(
        self, paths: list[Path], *, besides: Path | None = None, clock: Clock = time.monotonic
    ) -> None:
        self._paths, self._clock = paths, clock
        self._besides = besides.absolute() if besides else None
        self._since: dict[Found, float] = {}

    def settled(self, is_done: Callable[[Found], bool]) -> list[Found]:
        """Files that have not changed for two seconds and are not done."""
        now = self._clock()
        seen = [one for one in self._look() if not is_done(one)]
        self._since = {one: self._since.get(one, now) for one in seen}
        return [one for one in seen if now - self._since[one] >= SETTLED_S]

    def _look(self) -> Iterator[Found]:
        for one in files_in(self._paths):
            if isinstance(one, Unusable):
                continue  # a medium that is still being copied names more than is there
            if self._besides is None or self._besides not in one.path.absolute().parents:
                yield one


class Mover:
    """Puts files that are done out of the way: what was kept into a folder, the rest into `refused` in it."""

    def __init__(self, target: Path, roots: list[Path]) -> None:
        self._target, self._roots = target, roots

    def move(self, found: Found, kept: bool) -> None:
        if not found.path.exists():
            return  # somebody took it away; what was read is stored
        below = self._target if kept else self._target / "refused"
        place = _free(below / self._relative(found.path))
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(found.path, place)

    def _relative(self, path: Path) -> Path:
        root = next((root for root in self._roots if root.is_dir() and root in path.parents), path.parent)
        return path.relative_to(root)


def _free(place: Path) -> Path:
    """This name, or one with a number where it is taken."""
    candidate, number = place, 1
    while candidate.exists():
        number += 1
        candidate = place.with_name(f"{place.stem}-{number}{place.suffix}")
    return candidate
