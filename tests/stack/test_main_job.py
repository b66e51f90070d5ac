"""The main job from outside: a real scan in, findings out, on real services and workers."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.dicom_files import ct_image
from tests.live import Portal
from tests.real_series import files_of

pytestmark = pytest.mark.stack

BAR_S = 90


def truth(shared: Path, series: str) -> list[dict[str, str]]:
    with (shared / "data" / "dicom" / "truth.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["series"] == series]


def inside(finding: dict[str, Any], row: dict[str, str], slack_mm: float = 0) -> bool:
    """Whether a finding's centre lies within the radius of a true nodule."""
    place = [float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")]
    apart = sum((a - b) ** 2 for a, b in zip(finding["center_mm"], place, strict=True)) ** 0.5
    return apart <= float(row["diameter_volume_mm"] or 0) / 2 + slack_mm


@pytest.fixture(scope="module")
def tokens(running_stack: Portal) -> tuple[str, str]:
    return running_stack.token("technician"), running_stack.token("radiologist")


def findings_of(portal: Portal, uid: str, token: str) -> list[dict[str, Any]]:
    return list(portal.get(f"/api/v1/findings/?study_instance_uid={uid}&page_size=200", token)["results"])


@pytest.mark.shared
@pytest.mark.networks
def test_a_real_scan_sent_by_dicomweb_client_is_read(
    running_stack: Portal, tokens: tuple[str, str], shared: Path
) -> None:
    """The three nodules that four readers outlined are among the first eight findings, within 90 s."""
    import pydicom
    from dicomweb_client import DICOMwebClient

    sender, reader = tokens
    rows = [r for r in truth(shared, "lidc-idri-0003") if r["kind"] == "nodule>=3mm" and r["readers"] == "4"]
    uid = rows[0]["StudyInstanceUID"]
    images = [pydicom.dcmread(io.BytesIO(data)) for data in files_of(shared, "lidc-idri-0003")]
    client = DICOMwebClient(
        f"{running_stack.base_url}/dicomweb", headers={"Authorization": f"Token {sender}"}
    )
    client.store_instances(images)

    began = time.monotonic()
    study = running_stack.wait(uid, reader, "ready", "failed", "not_read", seconds=BAR_S)
    assert study["status"] == "ready", study
    assert time.monotonic() - began < BAR_S
    found = findings_of(running_stack, uid, reader)
    ranks = [next((k for k, one in enumerate(found, 1) if inside(one, row)), None) for row in rows]
    assert all(rank is not None and rank <= 8 for rank in ranks), ranks


@pytest.mark.shared
@pytest.mark.networks
def test_a_thick_scan_is_not_read_but_can_be_on_request(
    running_stack: Portal, tokens: tuple[str, str], shared: Path
) -> None:
    sender, reader = tokens
    (tumour,) = truth(shared, "lung-dx-a0002-b40f")
    uid = tumour["StudyInstanceUID"]
    running_stack.stow(files_of(shared, "lung-dx-a0002-b40f"), sender)
    running_stack.post(f"/api/v1/studies/{uid}/complete/", sender)
    study = running_stack.wait(uid, reader, "not_read", "ready", "failed", seconds=60)
    assert study["status"] == "not_read"
    assert study["reason"].startswith("Slices of 8.0 mm are too thick for nodule analysis.")

    (series,) = running_stack.get(f"/api/v1/series/?study={study['id']}", reader)["results"]
    assert running_stack.post(f"/api/v1/series/{series['id']}/read_anyway/", sender).status_code == 403
    assert running_stack.post(f"/api/v1/series/{series['id']}/read_anyway/", reader).status_code < 300
    running_stack.wait(uid, reader, "ready", seconds=BAR_S)
    found = findings_of(running_stack, uid, reader)
    assert any(inside(one, tumour, slack_mm=40) for one in found[:3])
    assert {one["volume_mm3"] for one in found} == {None}


@pytest.mark.shared
def test_a_head_is_not_read(running_stack: Portal, tokens: tuple[str, str], shared: Path) -> None:
    import pydicom

    sender, reader = tokens
    files = files_of(shared, "head-ge-tilt")
    uid = str(pydicom.dcmread(io.BytesIO(files[0]), stop_before_pixels=True).StudyInstanceUID)
    running_stack.stow(files, sender)
    running_stack.post(f"/api/v1/studies/{uid}/complete/", sender)

    study = running_stack.wait(uid, reader, "not_read", "ready", "failed", seconds=60)
    assert study["status"] == "not_read"
    assert study["reason"]


def test_bad_files_are_refused_and_the_rest_is_stored(running_stack: Portal, tokens: tuple[str, str]) -> None:
    sender, _ = tokens
    good = ct_image(1, series="2.25.9901", study="2.25.9900", PatientID="M-1")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(50_000_000))
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    climbing = io.BytesIO()
    with zipfile.ZipFile(climbing, "w") as archive:
        archive.writestr("../../etc/passwd", b"x")
    files = [
        ("files", ("text.dcm", b"just text")),
        ("files", ("empty.zip", empty.getvalue())),
        ("files", ("cut.dcm", good[: len(good) // 2])),
        ("files", ("bomb.zip", bomb.getvalue())),
        ("files", ("climbing.zip", climbing.getvalue())),
        ("files", ("good.dcm", good)),
    ]
    answer = running_stack.post("/api/v1/uploads/", sender, files=files)

    assert answer.status_code == 201
    lines = answer.json()["files"]
    assert [line["outcome"] for line in lines] == ["refused"] * 5 + ["stored"]
    assert all(line["sentence"].endswith(".") for line in lines[:5])


@pytest.mark.shared
def test_every_odd_file_gets_an_answer_and_the_service_lives(
    running_stack: Portal, tokens: tuple[str, str], shared: Path
) -> None:
    sender, reader = tokens
    files = [
        p for p in (shared / "data" / "dicom" / "variety").rglob("*") if p.is_file() and p.suffix != ".csv"
    ]
    answers = {path.name: running_stack.stow([path.read_bytes()], sender)[0] for path in files}

    assert {name: status for name, status in answers.items() if status not in (200, 202, 409)} == {}
    assert running_stack.get("/api/v1/studies/", reader)["results"] is not None


def with_tensorflow(portal: Portal) -> list[str]:
    """Names of the processes that have mapped the library, themselves or by a child."""
    found = []
    for name, pid in portal.processes().items():
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        maps = {entry.path for process in family for entry in process.memory_maps()}
        if any("tensorflow" in path for path in maps):
            found.append(name)
    return found


def test_only_the_gpu_worker_has_loaded_tensorflow(running_stack: Portal) -> None:
    """DESIGN promise 10: read from the memory maps of the processes, once the worker has warmed up."""
    until = time.monotonic() + 90
    while not (loaded := with_tensorflow(running_stack)) and time.monotonic() < until:
        time.sleep(1)

    assert loaded == ["gpu"]
