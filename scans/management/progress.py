"""How far a command is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

BAR = 28
LINE_EVERY_S = 10.0
DRAW_EVERY_S = 0.1


class Progress:
    """Of so many bytes; `show` may be called as often as one likes."""

    def __init__(self, stream: TextIO, files: int, size: int) -> None:
        self._stream, self._files, self._size = stream, files, size
        self._bar = stream.isatty()
        self._began = time.monotonic()
        self._last = self._began

    def show(self, files: int, size: int) -> None:
        now = time.monotonic()
        if now - self._last < (DRAW_EVERY_S if self._bar else LINE_EVERY_S):
            return
        self._last = now
        line = self._line(files, size, now - self._began)
        self._stream.write(f"\r{line}\x1b[K" if self._bar else f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        if self._bar:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _line(self, files: int, size: int, seconds: float) -> str:
        share = min(size / self._size, 1.0) if self._size else 1.0
        bar = f"[{'#' * int(BAR * share):<{BAR}}] " if self._bar else ""
        left = f", {clock(seconds * (1 - share) / share)} left" if share > 0 else ""
        speed = f"{files / seconds:.0f} files/s, {size / seconds / 1e6:.1f} MB/s" if seconds > 0 else ""
        return f"{bar}{share:4.0%}  {files:,} of {self._files:,} files, {speed}{left}"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds as on a clock."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
