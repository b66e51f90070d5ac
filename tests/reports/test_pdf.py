"""The report as a document: whole, archivable, and robust against whatever stands in a name."""

from __future__ import annotations

import io
import shutil
import subprocess
import time

import numpy as np
import pytest
from PIL import Image

from inference.marks import picture_of_mark
from reports.actions import add_addendum, add_nodule, decide, open_draft, save_draft, sign
from reports.pdf import render_pdf, report_data
from scans.dicom.geometry import Geometry
from scans.dicom.volume import BuiltVolume, volume_digest
from scans.dicom.window import OUTLINE_COLOUR
from scans.volumes import keep
from tests.factories import (
    PASSWORD,
    AddendumFactory,
    FindingFactory,
    PatientFactory,
    ReadingFactory,
    ReportFactory,
    SeriesFactory,
    StudyFactory,
)

pytestmark = pytest.mark.django_db

needs_pdftotext = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")


@pytest.fixture
def signed(site, radiologist):
    """A signed report with pictures and an addendum."""
    study = StudyFactory(site=site, status="ready", with_reading=False)
    reading = ReadingFactory(study=study, findings=0)
    for number in range(1, 4):
        finding = FindingFactory(reading=reading, number=number, with_key_image=True)
        decide(radiologist, finding, kind="accept")
    report = sign(radiologist, open_draft(radiologist, study), revision=1, password=PASSWORD)
    add_addendum(radiologist, report, text="One more line.", password=PASSWORD)
    return report


def text_of(pdf: bytes) -> str:
    done = subprocess.run(["pdftotext", "-layout", "-", "-"], input=pdf, capture_output=True, check=True)
    return done.stdout.decode()


def test_a_signed_report_is_an_archivable_pdf(signed):
    pdf = render_pdf(signed)
    assert pdf.startswith(b"%PDF-1.7")
    assert b"pdfaid:part" in pdf


def test_the_same_report_gives_the_same_document(signed):
    assert render_pdf(signed) == render_pdf(signed)


@needs_pdftotext
def test_it_holds_what_a_reader_and_an_auditor_need(signed):
    text = text_of(render_pdf(signed))
    reading = signed.study.readings.get()
    for part in (
        "North Clinic",
        signed.study.patient.medical_record_number,
        "Nodule 1: solid, right lung, 13.0 x 9.4 mm (mean 11.2 mm)",
        reading.volume_digest,
        *reading.networks.values(),
        reading.pipeline.sha256,
        "Electronically signed by Radiologist North",
        "One more line.",
        "Research software. Not a medical device",
        "trained on radiologists' ratings, not on pathology",
    ):
        assert part in text.replace("’", "'"), part
    assert "DRAFT" not in text
    assert text.count("Research software") == text.count("\f")  # on every page


@needs_pdftotext
def test_a_draft_says_on_its_face_that_it_is_one(site, radiologist):
    report = ReportFactory(study__site=site)
    text = text_of(render_pdf(report))
    assert "DRAFT – not signed" in text
    assert "Electronically signed" not in text


def test_a_final_report_shows_the_version_that_was_signed(signed):
    data = report_data(signed, signed.final_version, {}, whole_names=True)
    assert data["signature"]["revision"] == "1"
    assert [nodule["number"] for nodule in data["nodules"]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "name",
    [
        "#panic(1)^$x_",
        '"); #read("/etc/passwd")',
        "]]} *bold* _it_ @cite <label> // comment /* */",
        "ΠΑΠΑΔΟΠΟΥΛΟΣ^ΓΙΩΡΓΟΣ",
        "Иванова^Анна",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "حسن^علي",
        "Nguyễn^Thị",
        "😀^\u0007",
        "X" * 300,
    ],
)
def test_any_name_makes_a_document_and_none_is_code(site, name):
    study = StudyFactory(
        site=site, ready=True, patient=PatientFactory(site=site, name=name), description=name[:250]
    )
    report = ReportFactory(study=study)
    assert render_pdf(report).startswith(b"%PDF")


def test_long_text_and_many_addenda_run_over_pages(site, radiologist):
    report = ReportFactory(study__site=site)
    long_text = "A finding of note. " * 800
    save_draft(radiologist, report, revision=1, texts={"findings": long_text})
    final = ReportFactory(study__site=site, final=True)
    for _ in range(10):
        AddendumFactory(report=final, text=long_text[:3000])
    report.refresh_from_db()
    for one in (report, final):
        assert len(render_pdf(one)) > 20_000


def test_a_picture_that_is_gone_does_not_stop_the_report(signed):
    from django.core.files.storage import default_storage

    name = signed.final_version.nodules[0]["key_image"]
    default_storage.delete(name)
    assert render_pdf(signed).startswith(b"%PDF")


def test_a_nodule_that_a_person_added_is_shown_where_they_marked_it(site, radiologist):
    rng = np.random.default_rng(1)
    geometry = Geometry((60, 64, 64), (2.0, 1.5, 1.5), (-48.0, -48.0, -60.0))
    hu = rng.normal(-850, 40, geometry.shape).astype(np.int16)
    uids = tuple(f"1.2.3.{z}" for z in range(60))
    study = StudyFactory(site=site, not_read=True)
    built = BuiltVolume(
        hu,
        geometry,
        volume_digest(hu, geometry),
        uids,
        tuple(range(60)),
        tuple(map(float, range(60))),
        (),
        (),
    )
    volume = keep(SeriesFactory(study=study), built)
    place = [float(value) for value in geometry.to_mm((30, 20, 40))]
    add_nodule(
        radiologist,
        study,
        center_mm=place,
        slice_index=30,
        long_axis_mm=9.0,
        short_axis_mm=8.0,
        type="solid",
        location="left lower lobe",
    )
    report = open_draft(radiologist, study)
    picture = picture_of_mark(volume, 30, place, 9.0)
    assert picture is not None
    colours = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).reshape(-1, 3)
    assert (colours == OUTLINE_COLOUR).all(axis=1).sum() > 50
    assert render_pdf(report).count(b"/Subtype/Image") == 1
    assert picture_of_mark(volume, 99, place, 9.0) is None


def test_it_is_quick(signed):
    render_pdf(signed)  # fonts are searched once
    began = time.perf_counter()
    render_pdf(signed)
    assert time.perf_counter() - began < 1.0
