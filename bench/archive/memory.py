"""What the web processes hold in memory while much comes in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

INTERVAL_S = 0.1


class Peak:
    """The largest resident memory that one process of a tree had, in MB (10^6 bytes)."""

    def __init__(self, pid: int) -> None:
        self.mb = 0.0
        self._root = psutil.Process(pid)
        self._done = threading.Event()

    def watch(self) -> None:
        while not self._done.wait(INTERVAL_S):
            for process in [self._root, *self._root.children(recursive=True)]:
                try:
                    self.mb = max(self.mb, process.memory_info().rss / 1e6)
                except psutil.NoSuchProcess:
                    continue

    def stop(self) -> None:
        self._done.set()


@contextmanager
def peak_of(pid: int) -> Iterator[Peak]:
    """Watch a process and its children while the block runs."""
    peak = Peak(pid)
    watcher = threading.Thread(target=peak.watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        peak.stop()
        watcher.join()
