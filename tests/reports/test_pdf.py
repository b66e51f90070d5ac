"""The report as a document: whole, archivable, and robust against whatever stands in a name."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest

from reports.actions import add_addendum, decide, open_draft, save_draft, sign
from reports.pdf import render_pdf, report_data
from tests.factories import (
    PASSWORD,
    AddendumFactory,
    FindingFactory,
    PatientFactory,
    ReadingFactory,
    ReportFactory,
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


def test_it_is_quick(signed):
    render_pdf(signed)  # fonts are searched once
    began = time.perf_counter()
    render_pdf(signed)
    assert time.perf_counter() - began < 1.0
