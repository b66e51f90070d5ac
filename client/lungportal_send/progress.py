"""One line that says how far it is: redrawn on a terminal, written now and then elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TextIO

DRAW_EVERY_S, LINE_EVERY_S = 0.2, 10.0


class Progress:
    """Counts files and bytes; safe to be told by several threads."""

    def __init__(
        self, stream: TextIO, files: int, size: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._of_files, self._of_bytes, self._clock = stream, files, size, clock
        self._terminal = stream.isatty()
        self._files = self._bytes = 0
        self._began = self._drawn = clock()
        self._lock = threading.Lock()

    def add(self, files: int, size: int) -> None:
        with self._lock:
            self._files, self._bytes = self._files + files, self._bytes + size
            now = self._clock()
            if now - self._drawn >= (DRAW_EVERY_S if self._terminal else LINE_EVERY_S):
                self._drawn = now
                self._write(self.line(now - self._began))

    def say(self, sentence: str) -> None:
        """Something that a person should see now."""
        with self._lock:
            self._write(sentence)

    def close(self) -> None:
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def line(self, seconds: float) -> str:
        share = self._bytes / self._of_bytes if self._of_bytes else 1.0
        speed = self._bytes / seconds / 1e6 if seconds > 0 else 0.0
        left = f", {clock_time(seconds * (1 - share) / share)} left" if 0 < share < 1 else ""
        return f"{share:4.0%}  {self._files:,} of {self._of_files:,} files, {speed:.1f} MB/s{left}"

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text}\x1b[K" if self._terminal else f"{text}\n")
        self._stream.flush()


def clock_time(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
