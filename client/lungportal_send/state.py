"""What the portal has confirmed, in a file that outlives a crash of this program or of the machine."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from lungportal_send.files import Local

STORED, REFUSED, FAILED = "stored", "refused", "failed"
ANSWERED = (STORED, REFUSED)


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `failed` means that it has no answer for good: it is sent again next time."""

    outcome: str
    code: str = ""
    sentence: str = ""
    sha256: str = ""
    studies: tuple[str, ...] = ()


class State:
    """One line of JSON for each answered file: its path, size and time of change, and the outcome.

    A file that has changed since is a new one. A line that a crash cut off is left out.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self._known: dict[tuple[str, int, int], Outcome] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            self._load()

    def of(self, local: Local) -> Outcome | None:
        return self._known.get(_key(local))

    def add(self, answers: list[tuple[Local, Outcome]]) -> None:
        """Keep the answers, on disk when this returns; the names in it are for the owner's eyes only."""
        kept = [(local, outcome) for local, outcome in answers if outcome.outcome in ANSWERED]
        with self._lock, open(self._file, "a", encoding="utf-8", opener=_private) as file:
            for local, outcome in kept:
                place = {"path": str(local.path.absolute()), "size": local.size, "changed": local.changed_ns}
                file.write(json.dumps({**place, **asdict(outcome)}) + "\n")
            file.flush()
            os.fsync(file.fileno())
            self._known.update({_key(local): outcome for local, outcome in kept})

    def _load(self) -> None:
        text = self._file.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            try:
                row = json.loads(line)
                key = (row.pop("path"), row.pop("size"), row.pop("changed"))
                self._known[key] = Outcome(**{**row, "studies": tuple(row["studies"])})
            except (ValueError, KeyError, TypeError):
                continue
        if text and not text.endswith("\n"):
            with self._file.open("a", encoding="utf-8") as file:
                file.write("\n")


def _key(local: Local) -> tuple[str, int, int]:
    return str(local.path.absolute()), local.size, local.changed_ns


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def usual_place(paths: list[Path], url: str, site: str) -> Path:
    """The state file of these folders and this portal, in the person's own folder for such things."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    told = "\0".join([url, site, *sorted(str(path.absolute()) for path in paths)])
    return Path(base) / "lungportal-send" / f"{hashlib.sha256(told.encode()).hexdigest()[:20]}.jsonl"
