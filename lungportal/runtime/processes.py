"""One supervised program: started on a leash, its output in a log file, ended with all its children."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

import psutil

LEASH = Path(__file__).with_name("leash.py")
STACK_MARK = "LUNGPORTAL_STACK"
LOG_BYTES = 5_000_000
LOG_FILES = 3


@dataclass(frozen=True)
class Account:
    """A system user by number."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Program:
    """What to run and how it wants to be treated."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    tier: int = 1
    """Lower tiers start first and stop last."""
    stop_signals: Sequence[int] = (signal.SIGTERM,)
    """Sent one after the other, with patience between them; SIGKILL follows in any case."""
    orphan_signal: int = signal.SIGTERM
    account: Account | None = None
    nice: int = 0
    once: bool = False
    ready: Callable[[], bool] | None = None


def stack_mark(data: Path) -> str:
    """What every process of one data folder carries in its environment."""
    return hashlib.sha256(str(data).encode()).hexdigest()[:16]


class Child:
    """A program that runs, or ran."""

    def __init__(self, program: Program, log: Path, mark: str) -> None:
        self.program = program
        self.began = time.monotonic()
        self._pipe = subprocess.Popen(
            _leashed(program),
            env={**program.environment, STACK_MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._pipe.stdout is not None  # noqa: S101 - asked for above
        threading.Thread(target=_pump, args=(self._pipe.stdout, log), daemon=True).start()

    @property
    def pid(self) -> int:
        return self._pipe.pid

    @property
    def exit_code(self) -> int | None:
        return self._pipe.poll()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.began

    def signal(self, number: int) -> None:
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                self._pipe.send_signal(number)

    def kill_group(self) -> None:
        """End whatever is left of it, the children of a dead parent too."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._pipe.wait(5)


def _leashed(program: Program) -> list[str]:
    account = program.account
    options = ["--parent", str(os.getpid()), "--orphaned", str(int(program.orphan_signal))]
    if account is not None:
        options += ["--user", f"{account.uid}:{account.gid}"]
    if program.nice:
        options += ["--nice", str(program.nice)]
    return [sys.executable, "-I", "-S", str(LEASH), *options, "--", *program.command]


def _pump(pipe: IO[bytes], log: Path) -> None:
    """Copy a program's output to its log file, which is turned over by size."""
    handler = RotatingFileHandler(log, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(message)s"))
    with pipe:
        for line in pipe:
            text = line.decode("utf-8", "replace").rstrip("\n")
            handler.emit(logging.LogRecord("", logging.INFO, "", 0, text, None, None))
    handler.close()


def stop_children(children: Sequence[Child], patience_s: float) -> None:
    """Ask all of them, then ask harder, then kill what is left."""
    for step in range(max((len(child.program.stop_signals) for child in children), default=0)):
        for child in children:
            if step < len(child.program.stop_signals):
                child.signal(child.program.stop_signals[step])
        _wait(children, patience_s)
    for child in children:
        child.kill_group()


def _wait(children: Sequence[Child], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and any(child.exit_code is None for child in children):
        time.sleep(0.05)


def leftovers(data: Path, postgres: Path) -> list[psutil.Process]:
    """Processes of this data folder, whoever started them.

    Postgres overwrites its environment with its title; it is known by the folder that it works in.
    """
    mark = stack_mark(data)
    return [p for p in psutil.process_iter() if p.pid != os.getpid() and _belongs(p, mark, str(postgres))]


def _belongs(process: psutil.Process, mark: str, postgres: str) -> bool:
    try:
        return process.environ().get(STACK_MARK) == mark or process.cwd() == postgres
    except (psutil.Error, OSError):
        return False


def sweep(data: Path, postgres: Path, patience_s: float = 5.0) -> int:
    """End what an earlier supervisor left behind; returns how many processes that were."""
    found = leftovers(data, postgres)
    _each(found, signal.SIGINT if found else 0)
    psutil.wait_procs(found, timeout=patience_s)
    remaining = leftovers(data, postgres)
    _each(remaining, signal.SIGKILL)
    psutil.wait_procs(remaining, timeout=patience_s)
    return len(found)


def _each(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)
