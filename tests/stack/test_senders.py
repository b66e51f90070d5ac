"""What is killed in the middle of a sending: everything that was acknowledged is there, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.dicom_files import ct_image
from tests.live import Portal, plain_environment

pytestmark = pytest.mark.stack

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = 2000
STUDY, SERIES = "2.25.88011", "2.25.88012"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("two-thousand")
    for number in range(1, FILES + 1):
        (place / f"{number:04}").write_bytes(ct_image(number, series=SERIES, study=STUDY))
    return place


def start(portal: Portal, folder: Path, state: Path, token: str, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "lungportal_send", str(folder), "--url", portal.base_url,
         "--state", str(state), *more],
        env={**plain_environment(), "LUNGPORTAL_TOKEN": token, "PYTHONPATH": str(REPOSITORY / "client")},
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def confirmed(state: Path) -> int:
    return state.read_text().count("\n") if state.exists() else 0


def wait_for(state: Path, count: int) -> None:
    until = time.monotonic() + 120
    while confirmed(state) < count:
        assert time.monotonic() < until, f"only {confirmed(state)} files were confirmed"
        time.sleep(0.05)


def instances(portal: Portal, token: str) -> int:
    found: Any = portal.get(f"/api/v1/series/?series_instance_uid={SERIES}", token)["results"]
    return sum(row["instance_count"] for row in found if row["series_instance_uid"] == SERIES)


def test_what_was_confirmed_is_there_once_though_client_and_web_are_killed(
    running_stack: Portal, folder: Path, tmp_path: Path
) -> None:
    token, reader = running_stack.token("technician"), running_stack.token("radiologist")
    state, report = tmp_path / "state.jsonl", tmp_path / "report.json"

    client = start(running_stack, folder, state, token)
    wait_for(state, 300)
    client.send_signal(signal.SIGKILL)
    client.wait()
    after_first = confirmed(state)
    assert after_first < FILES
    assert instances(running_stack, reader) >= after_first

    client = start(running_stack, folder, state, token, "--json", str(report))
    wait_for(state, after_first + 300)
    os.kill(running_stack.processes()["web"], signal.SIGKILL)
    assert client.wait(timeout=240) == 0

    assert json.loads(report.read_text())["stored"] == FILES
    assert instances(running_stack, reader) == FILES


def test_an_import_that_is_killed_and_repeated_has_every_file_once(
    running_stack: Portal, tmp_path: Path
) -> None:
    series = "2.25.88022"
    for number in range(1, 601):
        (tmp_path / f"{number:04}").write_bytes(ct_image(number, series=series, study="2.25.88021"))
    command = [REPOSITORY / "bin/manage", "import_dicom", str(tmp_path), "--site", "north"]
    environment = {**plain_environment(), "LUNGPORTAL_DATA": str(running_stack.data)}
    reader = running_stack.token("radiologist")

    def count() -> int:
        found = running_stack.get("/api/v1/series/?page_size=200", reader)["results"]
        return sum(row["instance_count"] for row in found if row["series_instance_uid"] == series)

    first = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 90
    while count() < 100 and time.monotonic() < until:
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)

    assert done.returncode == 0, done.stderr
    assert count() == 600
