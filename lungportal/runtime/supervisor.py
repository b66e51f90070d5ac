"""A small supervisor: starts programs in tiers, starts again what dies, ends all of it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lungportal.runtime.processes import Child, Program, stack_mark, stop_children

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""After this long without a fall a program's pauses start over."""
HOPELESS_FALLS = 4
ONE_SHOT_TRIES = 3
ATTENTION_S = 0.2
PATIENCE_S = 8.0


class StartFailed(Exception):
    """The stack cannot start; the text is for the person at the terminal."""


@dataclass
class Post:
    """A program and how it has fared."""

    program: Program
    child: Child | None = None
    falls: int = 0
    restarts: int = 0
    next_start: float = 0.0
    over: str = ""
    """Why it is not started again: `finished`, or `failed` too often (one-shots only)."""

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.exit_code is None

    @property
    def state(self) -> str:
        return "running" if self.running else self.over or "down"


class Supervisor:
    def __init__(self, data: Path, logs: Path, report: Callable[[dict[str, Any]], None]) -> None:
        self._mark = stack_mark(data)
        self._logs = logs
        self._report = report
        self._posts: dict[str, Post] = {}
        self._stop = threading.Event()

    def told_to_stop(self) -> bool:
        return self._stop.is_set()

    def listen(self) -> None:
        """From now on Ctrl-C, SIGTERM and a closed terminal end the stack in good order."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._stop.set())

    def start(self, programs: Sequence[Program]) -> None:
        for program in programs:
            self._posts[program.name] = post = Post(program)
            self._launch(post)
        self._tell()

    def wait_ready(self, names: Sequence[str], limit_s: float) -> None:
        """Attend to everything until these programs answer; give up on one that keeps falling."""
        deadline = time.monotonic() + limit_s
        waiting = [self._posts[name] for name in names]
        while waiting and not self.told_to_stop():
            self.attend()
            waiting = [post for post in waiting if not _answers(post)]
            for post in waiting:
                if post.falls >= HOPELESS_FALLS or time.monotonic() > deadline:
                    raise StartFailed(f"{post.program.name} does not start. {self._last_words(post)}")
            self._stop.wait(0.05)

    def run(self) -> None:
        """Attend until told to stop."""
        while not self._stop.wait(ATTENTION_S):
            self.attend()

    def attend(self) -> None:
        """Note what has died, and start again what is due."""
        for post in self._posts.values():
            if post.child is not None and post.child.exit_code is not None:
                self._bury(post, post.child)
            if post.child is None and not post.over and time.monotonic() >= post.next_start:
                post.restarts += 1
                self._launch(post)
                self._tell()

    def stop(self) -> None:
        """End all tiers, the highest first."""
        for tier in sorted({post.program.tier for post in self._posts.values()}, reverse=True):
            of_tier = [post for post in self._posts.values() if post.program.tier == tier and post.child]
            stop_children([post.child for post in of_tier if post.child], PATIENCE_S)
            for post in of_tier:
                post.child = None
        self._tell()

    def _launch(self, post: Post) -> None:
        post.child = Child(post.program, self._logs / f"{post.program.name}.log", self._mark)

    def _bury(self, post: Post, child: Child) -> None:
        code = child.exit_code
        child.kill_group()
        post.child = None
        if post.program.once and code == 0:
            post.over = "finished"
        else:
            post.falls = 1 if child.age_s > STEADY_S else post.falls + 1
            post.over = "failed" if post.program.once and post.falls >= ONE_SHOT_TRIES else ""
            pause = min(FIRST_PAUSE_S * 2 ** (post.falls - 1), LONGEST_PAUSE_S)
            post.next_start = time.monotonic() + pause
            then = "given up" if post.over else f"starting it again in {pause:.1f} s"
            say(f"{post.program.name} ended ({_ending(code)}); {then}. Log: {self._log(post)}")
        self._tell()

    def _tell(self) -> None:
        self._report(
            {
                name: {
                    "pid": post.child.pid if post.child else None,
                    "restarts": post.restarts,
                    "state": post.state,
                }
                for name, post in self._posts.items()
            }
        )

    def _log(self, post: Post) -> Path:
        return self._logs / f"{post.program.name}.log"

    def _last_words(self, post: Post) -> str:
        log = self._log(post)
        lines = log.read_text(errors="replace").splitlines()[-15:] if log.exists() else []
        return "\n".join([f"The end of {log}:", *(f"    {line}" for line in lines)])


def _answers(post: Post) -> bool:
    return post.running and (post.program.ready is None or post.program.ready())


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit {code}"


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)
