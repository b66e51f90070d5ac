"""The supervisor starts again what dies, gives up on what cannot run, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lungportal.runtime.places import Places
from lungportal.runtime.processes import Program, leftovers, sweep
from lungportal.runtime.state import Held, Lock, holder_of
from lungportal.runtime.supervisor import StartFailed, Supervisor

PARENT_AND_CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
time.sleep(600)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def python(code: str, name: str = "thing", **options: Any) -> Program:
    return Program(name, [sys.executable, "-c", code], {"PATH": os.environ["PATH"]}, **options)


class Watched(Supervisor):
    """Remembers the last report."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, folder, self.remember)
        self.seen: dict[str, Any] = {}

    def remember(self, report: dict[str, Any]) -> None:
        self.seen = report

    def attend_until(self, condition: Callable[[], bool], limit_s: float = 10.0) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, self.seen
            self.attend()
            time.sleep(0.02)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path)
    yield watched
    watched.stop()
    assert leftovers(tmp_path, tmp_path / "postgres") == []


def test_what_is_killed_is_started_again(supervisor: Watched) -> None:
    supervisor.start([python("import time; time.sleep(600)")])
    first = supervisor.seen["thing"]["pid"]
    os.kill(first, signal.SIGKILL)
    supervisor.attend_until(lambda: supervisor.seen["thing"]["pid"] not in (first, None))
    assert supervisor.seen["thing"]["restarts"] == 1


def test_the_children_of_what_is_killed_die_with_it(supervisor: Watched) -> None:
    supervisor.start([python(PARENT_AND_CHILD)])
    parent = psutil.Process(supervisor.seen["thing"]["pid"])
    supervisor.attend_until(lambda: len(parent.children()) == 1)
    (orphan,) = parent.children()
    parent.kill()
    supervisor.attend_until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)


def test_a_one_shot_runs_once(supervisor: Watched, tmp_path: Path) -> None:
    supervisor.start([python(f"open({str(tmp_path / 'runs')!r}, 'a').write('x')", once=True)])
    supervisor.attend_until(lambda: supervisor.seen["thing"]["state"] == "finished")
    assert (tmp_path / "runs").read_text() == "x"


def test_a_one_shot_that_keeps_failing_is_given_up_and_not_called_finished(
    supervisor: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungportal.runtime.supervisor.FIRST_PAUSE_S", 0.01)
    supervisor.start([python("raise SystemExit(1)", once=True)])
    supervisor.attend_until(lambda: supervisor.seen["thing"]["state"] == "failed")
    assert supervisor.seen["thing"]["restarts"] == 2


def test_what_never_runs_is_given_up_with_its_last_words(supervisor: Watched, capsys: Any) -> None:
    supervisor.start([python("raise SystemExit('no such switch')", ready=lambda: False)])
    with pytest.raises(StartFailed, match="no such switch"):
        supervisor.wait_ready(["thing"], limit_s=30)


def test_what_ignores_a_polite_request_is_killed(
    supervisor: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungportal.runtime.supervisor.PATIENCE_S", 0.5)
    supervisor.start([python(STUBBORN)])
    time.sleep(0.3)
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 3


def test_output_lands_in_a_log_of_its_own(supervisor: Watched, tmp_path: Path) -> None:
    supervisor.start([python("print('hello', flush=True); import time; time.sleep(600)")])
    log = tmp_path / "thing.log"
    supervisor.attend_until(lambda: log.exists() and log.read_text() == "hello\n")


def test_leftovers_of_a_killed_supervisor_are_found_and_ended(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.start([python(STUBBORN), python("import time; time.sleep(600)", "other")])
    assert sweep(tmp_path, tmp_path / "postgres", patience_s=0.5) == 2
    assert leftovers(tmp_path, tmp_path / "postgres") == []
    watched.stop()


def test_a_data_folder_has_one_holder(tmp_path: Path) -> None:
    places = Places.of(tmp_path)
    lock = Lock(places)
    lock.take({"pid": 1, "port": 8000})
    with pytest.raises(Held) as held:
        Lock(places).take({"pid": 2})
    assert held.value.holder == {"pid": 1, "port": 8000}
    lock.close()
    assert holder_of(places) is None


def test_a_polite_program_yields_to_those_of_other_sessions_too(supervisor: Watched, tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = f"""
import os, pathlib, time
group = pathlib.Path("/proc/self/autogroup")
text = group.read_text() if group.exists() else "nice 7"
pathlib.Path({str(said)!r}).write_text(f"{{os.nice(0)}} {{text}}")
time.sleep(600)
"""
    supervisor.start([python(code, nice=7)])
    supervisor.attend_until(lambda: said.exists() and bool(said.read_text()))

    assert said.read_text().split()[0] == "7"
    assert said.read_text().split()[-1] == "7"
