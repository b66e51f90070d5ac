"""Studies leave the house as they came, or without identity, each time alike."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pydicom import dcmread
from pydicom.fileset import FileSet

from accounts.models import Person, Site
from core.models import AuditEntry
from scans.deidentify.export import export_study
from scans.dicom.deidentify.options import Options
from scans.models import Study, Upload
from scans.uploads import Batch
from tests.dicom_files import STUDY, ct_image, report

pytestmark = pytest.mark.django_db

SC = "1.2.840.10008.5.1.4.1.1.7"


def received(site: Site, person: Person, *files: bytes) -> Study:
    batch = Batch(site, person, Upload.Road.COMMAND)
    for file in files:
        batch.take([file])
    batch.finish()
    return Study.objects.get(site=site)


@pytest.fixture
def study(site: Site, technician: Person) -> Study:
    """Three slices, a capture and a report."""
    capture = ct_image(9, series="2.25.88", SOPClassUID=SC, Modality="OT")
    return received(site, technician, *(ct_image(n) for n in (1, 2, 3)), capture, report())


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "DICOMDIR")


def test_the_original_bytes_leave_with_a_clear_preamble(
    site: Site, technician: Person, tmp_path: Path
) -> None:
    original = b"MZ".ljust(128, b"!") + ct_image()[128:]
    done = export_study(received(site, technician, original), tmp_path / "out")

    (path,) = files_in(tmp_path / "out")
    assert done.files == 1
    assert path.read_bytes() == bytes(128) + original[128:]


def test_a_dicomdir_lists_every_file_that_it_can(study: Study, tmp_path: Path) -> None:
    done = export_study(study, tmp_path / "out")
    listed = FileSet(tmp_path / "out" / "DICOMDIR")

    assert done.files == len(files_in(tmp_path / "out")) == 5
    assert len(listed) == 4
    assert done.warnings == ["1 files fit no DICOMDIR record; they lie beside it."]  # a report without title
    assert {record.PatientID for record in listed} == {"N-0001"}


def test_a_copy_without_identity_holds_neither_name_nor_number(study: Study, tmp_path: Path) -> None:
    done = export_study(study, tmp_path / "out", Options())

    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert done.files == 3
    for word in (b"DOE", b"Jane", b"N-0001", b"19580402", STUDY.encode()):
        assert word not in written


def test_captures_and_reports_are_left_out_and_it_is_said(study: Study, tmp_path: Path) -> None:
    left_out = export_study(study, tmp_path / "out", Options())
    kept = export_study(study, tmp_path / "kept", Options(), keep_captures=True)

    assert any("1 captures were left out" in warning for warning in left_out.warnings)
    assert any("1 reports" in warning for warning in left_out.warnings)
    assert kept.files == 4
    assert any("may name the patient" in warning for warning in kept.warnings)


def test_the_same_study_is_exported_alike(study: Study, tmp_path: Path) -> None:
    contents = []
    for name in ("first", "second"):
        export_study(study, tmp_path / name, Options())
        contents.append([path.read_bytes() for path in files_in(tmp_path / name)])

    assert contents[0] == contents[1]


def test_two_sites_have_pseudonyms_of_their_own(
    study: Study, other_site: Site, stranger: Person, tmp_path: Path
) -> None:
    theirs = received(other_site, stranger, ct_image(1))
    uids = set()
    for name, one in (("ours", study), ("theirs", theirs)):
        export_study(one, tmp_path / name, Options())
        uids |= {dcmread(path).StudyInstanceUID for path in files_in(tmp_path / name)}

    assert len(uids) == 2


def test_the_command_writes_a_zip_and_is_recorded(study: Study, tmp_path: Path) -> None:
    out = io.StringIO()
    target = tmp_path / "study.zip"
    call_command(
        "export_study", STUDY, "--out", str(target), "--deidentify", stdout=out, stderr=io.StringIO()
    )

    assert "3 files" in out.getvalue()
    assert "DICOMDIR" in zipfile.ZipFile(target).namelist()
    assert AuditEntry.objects.filter(route="export_study --deidentify", target_id=str(study.pk)).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1.2.3", "--out", "{out}"], "no such study"),
        ([STUDY, "--out", "{out}", "--keep-dates"], "belong to --deidentify"),
        ([STUDY, "--out", "{full}"], "there already"),
    ],
)
def test_the_command_says_what_is_wrong(
    arguments: list[str], message: str, study: Study, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    places = {"out": tmp_path / "out", "full": tmp_path / "full"}

    with pytest.raises(CommandError, match=message):
        call_command("export_study", *(argument.format(**places) for argument in arguments))
