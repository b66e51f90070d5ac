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
from tests.live import PATIENCE_S, REPOSITORY, Portal, plain_environment

pytestmark = pytest.mark.stack

FILES = 2000
STUDY, SERIES = "2.25.88011", "2.25.88012"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("two-thousand")
    for number in range(1, FILES + 1):
        (place / f"{number:04}").write_bytes(ct_image(number, series=SERIES, study=STUDY, PatientID="S-1"))
    return place


def environment_of_client(token: str) -> dict[str, str]:
    return {**plain_environment(), "LUNGPORTAL_TOKEN": token, "PYTHONPATH": str(REPOSITORY / "client")}


def start(portal: Portal, folder: Path, state: Path, token: str, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "lungportal_send", str(folder), "--url", portal.base_url,
         "--state", str(state), *more],
        env=environment_of_client(token),
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def confirmed(state: Path) -> int:
    return state.read_text().count("\n") if state.exists() else 0


def wait_for(state: Path, count: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while confirmed(state) < count:
        assert time.monotonic() < until, f"only {confirmed(state)} files were confirmed"
        time.sleep(0.05)


def instances(portal: Portal, token: str, series: str = SERIES) -> int:
    found: Any = portal.get(f"/api/v1/series/?series_instance_uid={series}", token)["results"]
    return sum(row["instance_count"] for row in found if row["series_instance_uid"] == series)


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
    assert client.wait(timeout=PATIENCE_S) == 0

    assert json.loads(report.read_text())["stored"] == FILES
    assert instances(running_stack, reader) == FILES


@pytest.mark.networks
def test_the_client_waits_for_the_findings_and_writes_them(
    running_stack: Portal, phantom_files: list[Path], tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    client = subprocess.run(
        [sys.executable, "-m", "lungportal_send", *map(str, phantom_files), "--url",
         running_stack.base_url, "--state", str(tmp_path / "state"), "--wait", "--json", str(report)],
        env=environment_of_client(running_stack.token("technician")),
        capture_output=True, text=True, check=False, timeout=2 * PATIENCE_S,
    )  # fmt: skip

    assert client.returncode == 0, client.stderr
    told = json.loads(report.read_text())
    assert json.loads(client.stdout) == told["studies"]
    (study,) = told["studies"]
    assert (study["study_instance_uid"], study["status"]) == (told["study_instance_uids"][0], "ready")
    assert study["findings"]
    assert all(len(one["center_mm"]) == 3 for one in study["findings"])


class Importing:
    """`bin/manage import_dicom` as a process of its own, on the data of a running portal."""

    def __init__(self, portal: Portal, folder: Path, *more: str) -> None:
        command = [str(REPOSITORY / "bin/manage"), "import_dicom", str(folder), "--site", "north", *more]
        self._process = subprocess.Popen(
            command, env={**plain_environment(), "LUNGPORTAL_DATA": str(portal.data)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def end(self, how: signal.Signals | None = None) -> int:
        """Wait for its end, after a signal or by itself; its exit status."""
        if how is not None:
            self._process.send_signal(how)
        return self._process.wait(timeout=PATIENCE_S)


def arrive(portal: Portal, token: str, series: str, count: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while (there := instances(portal, token, series)) < count:
        assert time.monotonic() < until, f"only {there} images have arrived"
        time.sleep(0.1)


def images(folder: Path, study: str, numbers: range) -> None:
    for number in numbers:
        (folder / f"{number:04}").write_bytes(
            ct_image(number, series=f"{study}1", study=study, PatientID="S-2")
        )


def test_an_import_that_is_killed_and_repeated_has_every_file_once(
    running_stack: Portal, tmp_path: Path
) -> None:
    study, reader = "2.25.8802", running_stack.token("radiologist")
    images(tmp_path, study, range(1, 301))

    first = Importing(running_stack, tmp_path)
    arrive(running_stack, reader, f"{study}1", 1)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert Importing(running_stack, tmp_path).end() == 0

    assert instances(running_stack, reader, f"{study}1") == 300


def test_a_watched_folder_goes_on_after_a_kill_with_what_is_new(
    running_stack: Portal, tmp_path: Path
) -> None:
    """What was noted as done before the kill is not read again; what was not is, and is there once."""
    study, reader = "2.25.8803", running_stack.token("radiologist")
    folder, state, report = tmp_path / "in", tmp_path / "state", tmp_path / "report.json"
    folder.mkdir()
    images(folder, study, range(1, 121))
    options = ("--watch", "--state", str(state), "--json", str(report))

    first = Importing(running_stack, folder, *options)
    arrive(running_stack, reader, f"{study}1", 1)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    noted = confirmed(state)

    second = Importing(running_stack, folder, *options)
    arrive(running_stack, reader, f"{study}1", 120)
    images(folder, study, range(121, 131))
    arrive(running_stack, reader, f"{study}1", 130)
    wait_for(state, 130)
    assert second.end(signal.SIGTERM) == 0

    told = json.loads(report.read_text())
    assert instances(running_stack, reader, f"{study}1") == 130
    assert (told["files"], told["refused"], told["quarantined"]) == (130 - noted, 0, 0)
