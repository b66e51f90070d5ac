"""What a person sees while something takes time: a line, and dots from the third second on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

QUIET_S = 2.0


@contextmanager
def step(title: str) -> Iterator[None]:
    began = time.monotonic()
    done = threading.Event()
    print(f"{title} ", end="", flush=True)
    dots = threading.Thread(target=_dots, args=(done,), daemon=True)
    dots.start()
    try:
        yield
    except BaseException:
        _end(done, dots, "failed", began)
        raise
    _end(done, dots, "done", began)


def _dots(done: threading.Event) -> None:
    pause = QUIET_S
    while not done.wait(pause):
        print(".", end="", flush=True)
        pause = 1.0


def _end(done: threading.Event, dots: threading.Thread, word: str, began: float) -> None:
    done.set()
    dots.join()
    print(f" {word} ({time.monotonic() - began:.1f} s)", flush=True)
