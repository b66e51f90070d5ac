"""The archive is hashed again: what is lost or altered is found, and repaired where that is possible."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from accounts.models import Person, Site
from scans.ingest.complete import complete_study
from scans.models import Instance, Study, Upload, Volume
from scans.storage import content_name
from scans.sweeping import orphans
from scans.uploads import Batch
from tests.dicom_files import chest

pytestmark = pytest.mark.django_db


@pytest.fixture
def stored(site: Site, technician: Person) -> list[Path]:
    batch = Batch(site, technician, Upload.Road.COMMAND)
    for file in chest():
        batch.take(iter([file]))
    batch.finish()
    complete_study(Study.objects.get())
    names = Instance.objects.order_by("position").values_list("sha256", flat=True)
    return [Path(default_storage.path(content_name("instances", sha256))) for sha256 in names]


def verify(*options: str) -> tuple[dict[str, list[str]], int]:
    said = io.StringIO()
    try:
        call_command("verify_archive", *options, stdout=said)
    except CommandError as error:
        return json.loads(said.getvalue()), error.returncode
    return json.loads(said.getvalue()), 0


def test_a_whole_archive_is_said_to_be_whole(stored: list[Path]) -> None:
    report, code = verify()

    assert (code, report["checked"], report["wrong"]) == (0, 65, [])


def test_what_is_missing_or_altered_is_found(stored: list[Path]) -> None:
    stored[0].unlink()
    stored[1].write_bytes(stored[2].read_bytes())
    report, code = verify()

    assert code == 1
    assert [Path(name).name for name in report["missing"]] == [stored[0].name]
    assert [Path(name).name for name in report["altered"]] == [stored[1].name]


def test_originals_are_put_back_from_copies_with_the_same_hash(stored: list[Path], tmp_path: Path) -> None:
    copies = tmp_path / "backup"
    copies.mkdir()
    (copies / "a.dcm").write_bytes(stored[0].read_bytes())
    (copies / "b.dcm").write_bytes(b"something else")
    stored[0].write_bytes(b"rot")
    report, code = verify("--repair", "--copies", str(copies))

    assert (code, report["wrong"]) == (0, [])
    assert verify()[1] == 0


def test_a_lost_volume_is_built_again(stored: list[Path]) -> None:
    volume = Volume.objects.get()
    default_storage.delete(volume.file)

    assert verify()[1] == 1
    assert verify("--repair")[1] == 0
    assert verify()[1] == 0
    assert Volume.objects.get().digest == volume.digest


def test_a_sample_looks_at_so_many(stored: list[Path]) -> None:
    assert verify("--sample", "5")[0]["checked"] == 6


def test_orphans_are_listed_first_and_removed_when_asked(stored: list[Path]) -> None:
    orphan = stored[0].with_name("f" * 64)
    orphan.write_bytes(b"nobody names me")
    young = stored[0].with_name("e" * 64)
    young.write_bytes(b"my row is about to be written")
    os.utime(orphan, (time.time() - 90_000,) * 2)
    said = io.StringIO()
    call_command("sweep_orphans", stdout=said)

    assert [Path(one.name).name for one in orphans()] == ["f" * 64]
    assert "1 orphans, 15 bytes, 0 removed" in said.getvalue()
    call_command("sweep_orphans", "--delete", stdout=said)
    assert not orphan.exists()
    assert young.exists()
    assert verify()[1] == 0
