"""`bin/up` as a person uses it: start, look, be interrupted in every way, stop; nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from celery import Celery

from lungportal.runtime.places import Places
from lungportal.runtime.processes import leftovers

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parent.parent.parent
PROCESSES = ("web", "ingest", "gpu", "beat", "redis", "postgres")
RECOVERY_S = 40.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Portal:
    """One data folder, and what `bin/up` does with it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.places = Places.of(data)

    def call(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LUNGPORTAL_", "DJANGO_"))}
        for name in ("DATABASE_URL", "REDIS_URL", "STORAGE_URL"):
            environment.pop(name, None)
        done = subprocess.run(
            [str(ROOT / "bin/up"), "--data", str(self.data), *arguments],
            env=environment, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def start(self) -> subprocess.CompletedProcess[str]:
        return self.call("--detach", "--no-demo", "--port", str(self.port))

    def state(self) -> dict[str, Any]:
        return dict(json.loads(self.places.state.read_text()))

    def pid(self, name: str) -> int | None:
        found = self.state()["processes"][name]["pid"]
        return int(found) if found else None

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def left(self) -> list[psutil.Process]:
        return leftovers(self.places.data, self.places.postgres)


def eventually(condition: Callable[[], bool], limit_s: float = RECOVERY_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come back in time"
        time.sleep(0.1)


def answers(broker: redis.Redis) -> bool:
    try:
        return bool(broker.ping())
    except redis.RedisError:
        return False


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    folder = Path(tempfile.mkdtemp(prefix="lungportal-up-"))
    folder.chmod(0o711)  # Postgres passes through it as a user of its own
    portal = Portal(folder / "data")
    yield portal
    portal.call("--stop", check=False)
    shutil.rmtree(folder)


@pytest.fixture
def running(portal: Portal) -> Portal:
    if portal.call("--status", check=False).returncode:
        said = portal.start().stdout
        assert f"http://127.0.0.1:{portal.port}" in said
    eventually(portal.answers)
    return portal


@pytest.mark.parametrize("name", PROCESSES)
def test_a_killed_process_is_running_again_and_the_portal_answers(running: Portal, name: str) -> None:
    eventually(lambda: running.pid(name) is not None)
    before = running.pid(name)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    eventually(lambda: running.pid(name) not in (before, None))
    eventually(running.answers)


@pytest.mark.parametrize("queue", ["ingest", "gpu"])
def test_a_worker_takes_tasks_again_after_redis_was_lost(running: Portal, queue: str) -> None:
    redis_pid = running.pid("redis")
    assert redis_pid is not None
    os.kill(redis_pid, signal.SIGKILL)
    eventually(lambda: running.pid("redis") not in (redis_pid, None))
    broker = redis.Redis(unix_socket_path=str(running.places.redis_socket))
    eventually(lambda: answers(broker))
    with Celery(broker=running.places.redis_url) as client:
        client.send_task("core.tasks.flush_outbox", queue=queue, ignore_result=True)
    eventually(lambda: broker.llen(queue) == 0 and broker.hlen("unacked") == 0)
    broker.close()


def test_a_second_start_says_who_holds_the_data(running: Portal) -> None:
    again = running.call("--detach", "--port", str(free_port()), check=False)
    assert again.returncode == 1
    assert f"process {running.state()['pid']}, port {running.port}" in again.stderr


def test_a_taken_port_is_named(running: Portal, tmp_path: Path) -> None:
    other = running.call("--port", str(running.port), "--data", str(tmp_path / "other"), check=False)
    assert other.returncode == 1
    assert f"Port {running.port}" in other.stderr
    assert "--port" in other.stderr


def test_the_status_names_every_process(running: Portal) -> None:
    said = running.call("--status").stdout
    assert all(name in said for name in PROCESSES)


def test_no_tensorflow_in_web_ingest_and_beat(running: Portal) -> None:
    for name in ("web", "ingest", "beat"):
        pid = running.pid(name)
        assert pid is not None
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            assert not any("tensorflow" in m.path for m in process.memory_maps())


def test_the_secrets_of_the_data_folder_are_closed_to_others(running: Portal) -> None:
    for path in (running.places.state, running.places.secret_key, running.places.lock):
        assert path.stat().st_mode & 0o077 == 0


def test_a_killed_supervisor_takes_its_processes_along_and_the_next_start_is_clean(running: Portal) -> None:
    os.kill(running.state()["pid"], signal.SIGKILL)
    eventually(lambda: running.left() == [])
    assert running.call("--status", check=False).returncode == 3
    running.start()
    assert running.answers()


def test_stop_leaves_no_process(running: Portal) -> None:
    running.call("--stop")
    assert running.left() == []
    assert not running.answers()
    assert "Nothing runs" in running.call("--stop").stdout


def test_a_second_start_is_ready_in_under_20_s(portal: Portal) -> None:
    portal.call("--stop")
    began = time.monotonic()
    portal.start()
    assert time.monotonic() - began < 20


def test_sigterm_ends_a_start_in_the_foreground_without_leftovers(portal: Portal) -> None:
    portal.call("--stop")
    with subprocess.Popen(
        [str(ROOT / "bin/up"), "--data", str(portal.data), "--no-demo", "--port", str(portal.port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as foreground:  # fmt: skip
        eventually(portal.answers)
        foreground.send_signal(signal.SIGTERM)
        assert foreground.wait(30) == 0
    assert portal.left() == []
