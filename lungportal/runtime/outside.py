"""What is asked of a stack from outside its supervisor: detach, stop, status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lungportal.runtime.places import Places
from lungportal.runtime.processes import leftovers, sweep
from lungportal.runtime.state import holder_of, read_state
from lungportal.runtime.steps import step

STOP_LIMIT_S = 60.0
NOT_RUNNING = 3


def who_holds(places: Places, holder: dict[str, Any]) -> str:
    return (
        f"{places.data} is held by another bin/up: process {holder.get('pid', '?')}, "
        f"port {holder.get('port', '?')}. Stop it with: bin/up --stop --data {places.data}"
    )


def detach(places: Places, arguments: Sequence[str]) -> int:
    """Start the supervisor in a session of its own and relay what it says until the portal answers."""
    if holder := holder_of(places):
        print(who_holds(places, holder), file=sys.stderr)
        return 1
    log = places.logs / "supervisor.log"
    with log.open("wb") as written:
        child = subprocess.Popen(
            [sys.executable, "-m", "lungportal.runtime.up", *arguments],
            stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    with log.open("rb") as said:
        while True:
            ready = _is_ready(places, child.pid)
            code = child.poll()
            _relay(said.read())
            if code is not None:
                return code or 1
            if ready:
                return 0
            time.sleep(0.1)


def _relay(said: bytes) -> None:
    try:
        sys.stdout.write(said.decode("utf-8", "replace"))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has gone; the start goes on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_ready(places: Places, pid: int) -> bool:
    state = read_state(places)
    return state.get("pid") == pid and state.get("ready") is not None


def stop(places: Places) -> int:
    """End the stack and wait until no process of it is left."""
    holder = holder_of(places)
    if holder is None and not leftovers(places.data, places.postgres):
        print(f"Nothing runs on {places.data}.")
        return 0
    with step("Stopping"):
        if holder is not None:
            _end(places, int(holder["pid"]))
        sweep(places.data, places.postgres)
    return 0


def _end(places: Places, pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_LIMIT_S
    while holder_of(places) is not None:
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def status(places: Places) -> int:
    """Say what runs; exit code 3 if nothing does."""
    holder = holder_of(places)
    if holder is None:
        print(f"Nothing runs on {places.data}.")
        return NOT_RUNNING
    state = read_state(places)
    phase = "ready" if state.get("ready") else "starting"
    print(f"lungportal is {phase}: {state.get('url', '')} (supervisor {holder['pid']}, data {places.data})")
    for name, process in state.get("processes", {}).items():
        pid, restarts = process["pid"] or "-", process["restarts"]
        print(f"    {name:<10} {process['state']:<9} pid {pid}  restarts {restarts}")
    return 0
