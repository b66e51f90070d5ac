"""Whatever is killed in mid-job, the job ends once and without a human (DESIGN promise 4)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pydicom
import pytest

from tests.live import Portal

pytestmark = pytest.mark.stack


def child_of_the_gpu_worker(portal: Portal) -> int:
    worker = psutil.Process(portal.processes()["gpu"])
    return worker.children()[0].pid


VICTIMS = {
    "the GPU worker": lambda portal: portal.processes()["gpu"],
    "its child": child_of_the_gpu_worker,
    "beat": lambda portal: portal.processes()["beat"],
    "Redis": lambda portal: portal.processes()["redis"],
}


@pytest.fixture(scope="module")
def tokens(running_stack: Portal) -> tuple[str, str]:
    return running_stack.token("technician"), running_stack.token("radiologist")


def as_another_study(files: list[Path], tail: str) -> tuple[str, list[bytes]]:
    """The same voxels as a study of their own."""
    import io

    changed = []
    for path in files:
        image = pydicom.dcmread(path)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(image, keyword, f"{getattr(image, keyword)[:56]}.{tail}")
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        file = io.BytesIO()
        image.save_as(file)
        changed.append(file.getvalue())
    return str(image.StudyInstanceUID), changed


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_kill_in_mid_job_is_survived(
    running_stack: Portal, phantom_files: list[Path], tokens: tuple[str, str], victim: str
) -> None:
    sender, reader = tokens
    uid, files = as_another_study(phantom_files, str(list(VICTIMS).index(victim) + 1))
    assert set(running_stack.stow(files, sender)) == {200}
    running_stack.post(f"/api/v1/studies/{uid}/complete/", sender)
    running_stack.wait(uid, reader, "reading")
    time.sleep(1)
    os.kill(VICTIMS[victim](running_stack), signal.SIGKILL)

    study = running_stack.wait(uid, reader, "ready", "failed", "not_read", seconds=240)

    assert study["status"] == "ready"
    jobs = running_stack.get(f"/api/v1/jobs/?study={study['id']}", reader)["results"]
    assert [job["state"] for job in jobs] == ["done"]
    readings = running_stack.get(f"/api/v1/readings/?study={study['id']}", reader)["results"]
    assert len(readings) == 1
