"""Every page for every role, and nothing of another site on any of them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import MembershipFactory, PatientFactory, ReportFactory, SeriesFactory, StudyFactory

pytestmark = pytest.mark.django_db

STAFF = ("administrator", "radiologist", "technician")


@pytest.fixture
def report(site):
    return ReportFactory(study=StudyFactory(site=site, ready=True), final=True)


@pytest.fixture
def people(administrator, radiologist, technician, referrer):
    return {
        "administrator": administrator,
        "radiologist": radiologist,
        "technician": technician,
        "referrer": referrer,
    }


def address(page, report):
    study = report.study
    of_study = ("study", "study-status", "study-outlines", "worklist-panel", "next-unread")
    if page in of_study:
        return reverse(page, args=[study.pk])
    if page in ("report", "report-pdf", "report-editing"):
        return reverse(page, args=[report.pk])
    if page in ("patient", "patient-edit"):
        return reverse(page, args=[study.patient_id])
    if page == "key-image":
        return reverse(page, args=[study.findings.first().pk])
    return reverse(page)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("worklist", {"referrer": 200}),
        ("worklist-live", {"referrer": 200}),
        ("patients", {"referrer": 200}),
        ("patient", {"referrer": 404}),
        ("patient-edit", {"referrer": 404, "radiologist": 403}),
        ("upload", {"referrer": 200}),
        ("account", {"referrer": 200}),
        ("study", {"referrer": 302}),
        ("study-status", {"referrer": 404}),
        ("study-outlines", {"referrer": 404}),
        ("worklist-panel", {"referrer": 404}),
        ("report", {"referrer": 200}),
        ("report-pdf", {"referrer": 200}),
    ],
)
def test_a_role_opens_what_it_may(page, expected, people, report, client_of):
    seen = {role: client_of(one).get(address(page, report)).status_code for role, one in people.items()}
    assert seen == dict.fromkeys(STAFF, 200) | expected


@pytest.mark.parametrize(
    "page",
    [
        "study",
        "study-status",
        "study-outlines",
        "worklist-panel",
        "next-unread",
        "report",
        "report-pdf",
        "report-editing",
        "patient",
        "patient-edit",
        "key-image",
    ],
)
def test_another_site_is_not_found(page, report, stranger, client_of):
    assert client_of(stranger).get(address(page, report)).status_code == 404


@pytest.mark.parametrize("page", ["worklist", "patients", "upload", "account", "study", "report", "patient"])
def test_a_visitor_is_sent_to_the_sign_in_page(page, report):
    answer = Client().get(address(page, report))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nodule-add", "study"),
        ("reject-rest", "study"),
        ("report-open", "study"),
        ("study-complete", "study"),
        ("read-anyway", "series"),
        ("report-sign", "report"),
        ("report-save", "report"),
        ("report-redraft", "report"),
        ("report-addendum", "report"),
        ("risk-profile-add", "patient"),
    ],
)
def test_nothing_of_another_site_can_be_changed(name, kind, report, stranger, client_of):
    study = report.study
    keys = {
        "study": study.pk,
        "series": study.series.first().pk,
        "report": report.pk,
        "patient": study.patient_id,
    }
    assert client_of(stranger).post(reverse(name, args=[keys[kind]])).status_code == 404


def test_lists_show_one_site_only(site, other_site, radiologist, client_of):
    StudyFactory(site=site, ready=True, patient=PatientFactory(site=site, name="OURS^ANNA"))
    StudyFactory(site=other_site, ready=True, patient=PatientFactory(site=other_site, name="THEIRS^BEN"))
    browser = client_of(radiologist)
    for page in ("worklist", "patients"):
        text = browser.get(reverse(page)).content.decode()
        assert "OURS" in text
        assert "THEIRS" not in text


def test_a_referrer_sees_final_reports_and_no_drafts(site, referrer, client_of):
    ReportFactory(study=StudyFactory(site=site, ready=True, description="SIGNED"), final=True)
    draft = ReportFactory(study=StudyFactory(site=site, ready=True, description="OPEN"))
    browser = client_of(referrer)
    text = browser.get("/").content.decode()
    assert "SIGNED" in text
    assert "OPEN" not in text
    assert browser.get(reverse("report", args=[draft.pk])).status_code == 404


def test_who_works_here_and_refers_there_finds_both(site, other_site, radiologist, client_of):
    MembershipFactory(person=radiologist, site=other_site, role="referrer")
    theirs = StudyFactory(site=other_site, ready=True, description="THEIRS")
    ReportFactory(study=theirs, final=True)
    browser = client_of(radiologist)
    start = browser.get("/", {"tab": "all"}).content.decode()
    assert "THEIRS" not in start
    assert reverse("reports") in start
    assert "THEIRS" in browser.get(reverse("reports")).content.decode()
    assert browser.get(reverse("worklist-panel", args=[theirs.pk])).status_code == 404


@pytest.mark.parametrize("role", ["administrator", "technician"])
def test_only_a_radiologist_decides(role, people, site, client_of):
    finding = StudyFactory(site=site, ready=True).findings.first()
    answer = client_of(people[role]).post(reverse("finding-decide", args=[finding.pk]), {"kind": "accept"})
    assert answer.status_code == 403
    assert not finding.decisions.exists()


def test_slices_of_another_site_are_not_found(site, stranger, client_of):
    series = SeriesFactory(study=StudyFactory(site=site))
    assert client_of(stranger).get(reverse("slice", args=[series.pk, 0])).status_code == 404


def test_error_pages_say_nothing_of_the_patient(radiologist, client_of, settings):
    settings.DEBUG = False
    answer = client_of(radiologist).get("/studies/00000000-0000-7000-8000-000000000000/")
    assert answer.status_code == 404
    assert b"Nothing here" in answer.content
