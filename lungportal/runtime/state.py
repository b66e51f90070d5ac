"""Who holds a data folder, and what its stack looks like to somebody who asks from outside."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

from lungportal.runtime.places import Places


class Held(Exception):
    """Another supervisor holds the data folder; `holder` is what it wrote into the lock file."""

    def __init__(self, holder: dict[str, Any]) -> None:
        super().__init__("held")
        self.holder = holder


class Lock:
    """The lock of a data folder: held by the running supervisor, let go of by its death."""

    def __init__(self, places: Places) -> None:
        self._file = os.open(places.lock, os.O_RDWR | os.O_CREAT, 0o600)

    def take(self, holder: dict[str, Any]) -> None:
        if not self._lock():
            raise Held(self._read())
        os.truncate(self._file, 0)
        os.pwrite(self._file, json.dumps(holder).encode(), 0)

    def holder(self) -> dict[str, Any] | None:
        """Who holds it, or None."""
        if self._lock():
            fcntl.flock(self._file, fcntl.LOCK_UN)
            return None
        return self._read()

    def close(self) -> None:
        os.close(self._file)

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _read(self) -> dict[str, Any]:
        text = os.pread(self._file, 4096, 0)
        return dict(json.loads(text)) if text else {}


def holder_of(places: Places) -> dict[str, Any] | None:
    if not places.lock.exists():
        return None
    lock = Lock(places)
    try:
        return lock.holder()
    finally:
        lock.close()


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable for its owner alone."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def read_state(places: Places) -> dict[str, Any]:
    try:
        return dict(json.loads(places.state.read_text()))
    except (OSError, ValueError):
        return {}


def secret_key(places: Places) -> str:
    """The secret of this data folder, made on its first day."""
    if not places.secret_key.exists():
        write_private(places.secret_key, secrets.token_urlsafe(50))
    return places.secret_key.read_text().strip()
