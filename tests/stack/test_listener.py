"""The DICOM listener as a process: killed in the middle of a send, nothing that it acknowledged is lost."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dicom_files import ct_image
from tests.live import Portal

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed (apt install dcmtk)"),
]

INSTANCES = 2000
KILL_AFTER = 400
SENDER = "KILLTEST"
SERIES = "2.25.88011"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(1, INSTANCES + 1):
        image = ct_image(number, series=SERIES, study="2.25.88010", PatientID="K-1")
        (folder / f"{number:05d}").write_bytes(image)
    return folder


def sender(portal: Portal, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    where = ("-v", "-aet", SENDER, "-aec", "LUNGPORTAL", "127.0.0.1", str(portal.dicom_port))
    with log.open("wb") as written:
        return subprocess.Popen(["storescu", *where, "+sd", str(folder)], stdout=written, stderr=written)


def acknowledged(log: Path) -> set[str]:
    """SOP instance UIDs whose file was answered with success."""
    told = log.read_text(errors="replace")
    files = re.findall(r"Sending file: \S*?(\d{5})\n(?:(?!Sending file).)*?Response \(Success\)", told, re.S)
    return {f"{SERIES}.{int(file)}" for file in files}


def stored(portal: Portal) -> list[str]:
    code = (
        "from scans.models import Instance; print(*Instance.objects.filter("
        f"series__series_instance_uid='{SERIES}').values_list('sop_instance_uid', flat=True), sep='\\n')"
    )
    return portal.manage("shell", "-v", "0", "-c", code).split()


def wait_for(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def listens(portal: Portal) -> bool:
    try:
        socket.create_connection(("127.0.0.1", portal.dicom_port), timeout=1).close()
    except OSError:
        return False
    return True


def test_what_a_killed_listener_acknowledged_is_there_once(
    running_stack: Portal, folder: Path, tmp_path: Path
) -> None:
    running_stack.manage("register_peer", SENDER, "--site", "north", "--host", "127.0.0.1")
    wait_for(lambda: listens(running_stack))
    log = tmp_path / "first.log"
    first = sender(running_stack, folder, log)
    wait_for(lambda: len(acknowledged(log)) >= KILL_AFTER or first.poll() is not None)
    killed = running_stack.processes()["dicom"]
    os.kill(killed, signal.SIGKILL)
    first.wait(60)
    promised = acknowledged(log)
    assert KILL_AFTER <= len(promised) < INSTANCES
    assert promised <= set(stored(running_stack))

    wait_for(lambda: running_stack.processes().get("dicom", killed) != killed and listens(running_stack))
    again = sender(running_stack, folder, tmp_path / "again.log")

    assert again.wait(240) == 0
    assert len(acknowledged(tmp_path / "again.log")) == INSTANCES
    assert sorted(stored(running_stack)) == sorted(f"{SERIES}.{n}" for n in range(1, INSTANCES + 1))
