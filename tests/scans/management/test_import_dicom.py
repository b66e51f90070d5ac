"""`import_dicom`: what lies on a disk or a CD goes the one way in, and every file has its outcome."""

from __future__ import annotations

import io
import json
import os
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest
from django.core.management import CommandError, call_command
from pydicom.fileset import FileSet

from accounts.models import Site
from scans.ingest.folders import files_in
from scans.models import Instance, Quarantined, Upload
from scans.watching import Memory, Mover, Watch
from tests.dicom_files import ct_image

pytestmark = pytest.mark.django_db


def imported(*arguments: Any, **options: Any) -> tuple[int, str]:
    """Exit status and what was said."""
    said = io.StringIO()
    try:
        call_command("import_dicom", *map(str, arguments), stdout=said, stderr=io.StringIO(), **options)
    except SystemExit as end:
        return int(str(end.code)), said.getvalue()
    return 0, said.getvalue()


def medium(folder: Path, images: int = 3) -> Path:
    """A CD with a DICOMDIR, and a viewer that nobody sent."""
    files = FileSet()
    for number in range(1, images + 1):
        files.add(pydicom.dcmread(io.BytesIO(ct_image(number, StudyID="1"))))
    files.write(folder)
    (folder / "VIEWER.EXE").write_bytes(b"MZ" + bytes(500))
    return folder


def test_a_folder_of_everything_has_an_outcome_for_each_file(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/no-extension").write_bytes(ct_image(1))
    (tmp_path / "a/no-preamble.dcm").write_bytes(ct_image(2)[128:])
    (tmp_path / "a/.DS_Store").write_bytes(b"litter")
    (tmp_path / "a/notes.txt").write_text("text")
    (tmp_path / "b.dcm").write_bytes(ct_image(1))
    (tmp_path / "twice.dcm").write_bytes(ct_image(1, hu=-300))
    with zipfile.ZipFile(tmp_path / "cd.zip", "w") as archive:
        archive.writestr("3.dcm", ct_image(3))
        archive.writestr("4.dcm", ct_image(4))
    outcome = tmp_path.parent / "outcome.json"

    status, said = imported(tmp_path, json=outcome)

    told = json.loads(outcome.read_text())
    assert status == 1
    assert (told["stored"], told["duplicate"], told["quarantined"], told["refused"]) == (4, 1, 1, 1)
    assert told["files"] == 6
    assert told["site"] == "north"
    assert sorted((Path(row["path"]).name, row["code"]) for row in told["not_taken"]) == [
        ("notes.txt", "NOT_DICOM"),
        ("twice.dcm", "OTHER_BYTES"),
    ]
    assert "1 x NOT_DICOM" in said
    assert "notes.txt" in said
    assert Instance.objects.count() == 4
    assert Quarantined.objects.count() == 1
    upload = Upload.objects.get()
    assert (upload.road, upload.person) == ("command", None)


def test_a_medium_is_followed_and_its_viewer_left_aside(site: Site, tmp_path: Path) -> None:
    status, said = imported(medium(tmp_path))

    assert status == 0
    assert "3 stored, 0 already there, 0 put aside, 0 refused" in said


def test_a_medium_mounted_in_lower_case_and_read_through_its_directory(site: Site, tmp_path: Path) -> None:
    medium(tmp_path / "cd")
    for path in sorted((tmp_path / "cd").rglob("*"), reverse=True):
        path.rename(
            path.with_name(
                path.name.lower() + (";1" if path.is_file() and "dir" not in path.name.lower() else "")
            )
        )

    status, said = imported(tmp_path / "cd" / "dicomdir")

    assert (status, "3 stored" in said) == (0, True)


def test_what_a_medium_names_and_has_not_is_said(site: Site, tmp_path: Path) -> None:
    medium(tmp_path)
    images = [one.path for one in files_in([tmp_path])]
    images[0].unlink()

    status, said = imported(tmp_path)

    assert status == 1
    assert "2 stored" in said
    assert "1 x MISSING: The DICOMDIR names this file" in said


def test_a_directory_that_names_files_outside_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(ct_image(9))
    cd = medium(tmp_path / "cd")
    directory = pydicom.dcmread(cd / "DICOMDIR")
    for record in directory.DirectoryRecordSequence:
        if "ReferencedFileID" in record and record.ReferencedSOPInstanceUIDInFile.endswith(".1"):
            record.ReferencedFileID = ["..", "secret"]
    directory.save_as(cd / "DICOMDIR")

    assert tmp_path / "secret" not in {one.path for one in files_in([cd])}


def test_a_damaged_directory_hides_nothing(site: Site, tmp_path: Path) -> None:
    medium(tmp_path)
    (tmp_path / "DICOMDIR").write_bytes(os.urandom(400))

    status, said = imported(tmp_path)

    assert status == 1
    assert "3 stored" in said
    assert "NOT_DICOM" in said


def test_a_ring_of_links_ends_and_a_file_is_taken_once(tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(ct_image(1))
    (tmp_path / "ring").symlink_to(tmp_path)

    found = list(files_in([tmp_path, tmp_path / "1.dcm"]))

    assert [one.path for one in found] == [tmp_path / "1.dcm"]


def test_done_files_are_moved_and_refused_ones_apart(site: Site, tmp_path: Path) -> None:
    inbox, done = tmp_path / "in", tmp_path / "done"
    (inbox / "a").mkdir(parents=True)
    (inbox / "a/1.dcm").write_bytes(ct_image(1))
    (inbox / "a/text").write_text("text")
    (done / "a").mkdir(parents=True)
    (done / "a/1.dcm").write_bytes(b"of yesterday")

    status, _ = imported(inbox, move_to=done)

    assert status == 1
    assert (done / "a/1-2.dcm").read_bytes() == ct_image(1)
    assert (done / "refused/a/text").exists()
    assert [path for path in inbox.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (["/nowhere"], {}, "There is nothing at /nowhere."),
        (
            [Path(__file__).parent],
            {"site": "west"},
            "no site with the code west. Name one with --site: north, south.",
        ),
        ([Path(__file__).parent], {}, "There are several sites. Name one with --site: north, south."),
    ],
)
def test_what_cannot_begin_says_why(
    site: Site, other_site: Site, arguments: list[Any], options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence) as error:
        imported(*arguments, **options)
    assert error.value.returncode == 2


def test_a_full_disk_stops_it_and_says_so(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.dcm").write_bytes(ct_image(1))
    monkeypatch.setattr("scans.ingest.room.free_bytes", lambda: 5)

    with pytest.raises(CommandError, match="The storage is full") as error:
        imported(tmp_path)
    assert error.value.returncode == 2


def test_a_file_that_is_still_growing_waits(tmp_path: Path) -> None:
    now = [0.0]
    watch = Watch([tmp_path], clock=lambda: now[0])
    file = tmp_path / "1.dcm"

    def look(at: float, grow: bytes = b"") -> int:
        now[0] = at
        if grow:
            with file.open("ab") as more:
                more.write(grow)
        return len(watch.settled(lambda found: False))

    assert [look(0, b"a"), look(1, b"b"), look(2.5), look(3.1)] == [0, 0, 0, 1]


def test_what_was_done_is_remembered_over_a_restart_without_any_name(tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    (inbox / "DOE_JANE.dcm").write_bytes(ct_image(1))
    (found,) = files_in([inbox])
    Memory(tmp_path / "state").add([found])

    again = Memory(tmp_path / "state")

    assert again.holds(found)
    assert "DOE" not in (tmp_path / "state").read_text()
    time.sleep(0.01)
    (inbox / "DOE_JANE.dcm").write_bytes(ct_image(2))
    (changed,) = files_in([inbox])
    assert not again.holds(changed)


def test_a_line_that_a_crash_cut_off_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(ct_image(1))
    (found,) = files_in([tmp_path])
    state = tmp_path / "state"
    state.write_text("0a1b")

    Memory(state).add([found])

    assert Memory(state).holds(found)


def test_the_folder_for_done_files_is_not_watched(tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done/1.dcm").write_bytes(ct_image(1))
    now = iter([0.0, 5.0])
    watch = Watch([tmp_path], besides=tmp_path / "done", clock=lambda: next(now))

    assert [watch.settled(lambda found: False), watch.settled(lambda found: False)] == [[], []]


def test_a_file_that_somebody_took_away_is_not_missed(tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(b"x")
    (found,) = files_in([tmp_path])
    found.path.unlink()

    Mover(tmp_path / "done", [tmp_path]).move(found, kept=True)

    assert not (tmp_path / "done").exists()


@pytest.mark.shared
def test_every_real_odd_file_has_an_outcome(site: Site, shared: Path, tmp_path: Path) -> None:
    objects = shared / "data" / "dicom" / "variety" / "objects"
    shutil.copytree(objects, tmp_path / "objects")
    outcome = tmp_path / "outcome.json"

    imported(tmp_path / "objects", json=outcome)

    told = json.loads(outcome.read_text())
    assert told["files"] == len(list(objects.iterdir())) - 1  # the DICOMDIR is no instance
    assert sum(told[name] for name in ("stored", "duplicate", "quarantined", "refused")) == told["files"]
