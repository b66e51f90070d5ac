"""Patients, their risk profiles and timelines; uploads without a script; tokens."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from rest_framework.test import APIClient

from patients.models import RiskProfile
from tests.factories import PatientFactory, ReportFactory, StudyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def patient(site):
    return PatientFactory(site=site, name="DOE^Jane^M=山田^花子", medical_record_number="N-004512")


@pytest.fixture
def browser(technician, client_of):
    return client_of(technician)


@pytest.mark.parametrize("text", ["jane", "DOE jane", "004512", "1958-03-04", "19580304", "山田"])
def test_a_patient_is_found_by_name_number_and_birth_date(text, patient, browser, site):
    PatientFactory(site=site, name="ROE^Richard", medical_record_number="X1", birth_date=None)
    page = browser.get(reverse("patients"), {"q": text}).content.decode()
    assert "DOE, Jane" in page
    assert "ROE, Richard" not in page


def test_the_timeline_holds_studies_and_signed_reports(patient, browser, site):
    study = StudyFactory(site=site, patient=patient, ready=True, description="LDCT screening")
    ReportFactory(study=study, final=True)
    page = browser.get(reverse("patient", args=[patient.pk])).content.decode()
    assert "LDCT screening" in page
    assert "Right lung, 11.2 mm solid" in page
    assert "Report signed by" in page


PROFILE = {
    "stated_on": "2026-03-01",
    "smoking": "former",
    "cigarettes_per_day": "20",
    "years_smoked": "40",
    "quit_date": "2018-06-01",
    "family_history": "true",
}


def test_a_dated_risk_profile_is_added_and_the_earlier_stays(patient, browser, technician):
    address = reverse("risk-profile-add", args=[patient.pk])
    for changed in ({}, {"stated_on": "2026-03-02", "years_smoked": "41"}):
        assert browser.post(address, {**PROFILE, **changed}).status_code == 302
    newest, earlier = RiskProfile.objects.all()
    assert (newest.pack_years, earlier.pack_years) == (41, 40)
    assert newest.stated_to == technician
    assert newest.emphysema is None
    assert "41 pack-years" in browser.get(reverse("patient", args=[patient.pk])).content.decode()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"smoking": "never"}, "Somebody who never smoked has none."),
        ({"smoking": "current"}, "Somebody who smokes has not quit."),
        ({"stated_on": "2999-01-01"}, "This day lies in the future."),
        ({"quit_date": "2026-03-02"}, "after the day of the statement"),
        ({"quit_date": "1950-01-01"}, "before the birth"),
        ({"years_smoked": "300"}, "less than or equal to 100"),
        ({"stated_on": ""}, "This field is required."),
    ],
)
def test_a_profile_that_makes_no_sense_is_not_saved(wrong, sentence, patient, browser):
    answer = browser.post(reverse("risk-profile-add", args=[patient.pk]), {**PROFILE, **wrong})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not RiskProfile.objects.exists()


def test_editing_a_name_keeps_its_other_parts(patient, browser):
    said = {"family_name": "ROE", "given_name": "Anna", "birth_date": "1960-01-02", "sex": "F"}
    assert browser.post(reverse("patient-edit", args=[patient.pk]), said).status_code == 302
    patient.refresh_from_db()
    assert patient.name == "ROE^Anna^M=山田^花子"


@pytest.mark.parametrize(
    "wrong", [{"family_name": "A^B"}, {"given_name": "A=B"}, {"birth_date": "2999-01-01"}, {"sex": "Q"}]
)
def test_an_identity_that_cannot_be_is_refused(wrong, patient, browser):
    said = {"family_name": "ROE", "given_name": "Anna", "birth_date": "1960-01-02", "sex": "F"}
    answer = browser.post(reverse("patient-edit", args=[patient.pk]), {**said, **wrong})
    assert answer.status_code == 422
    patient.refresh_from_db()
    assert patient.name.startswith("DOE")


def test_a_list_of_patients_goes_on_behind_a_cursor(browser, site, monkeypatch):
    monkeypatch.setattr("patients.views.PAGE", 3)
    for number in range(5):
        PatientFactory(site=site, name=f"ROW-{number}^Given")
    first = browser.get(reverse("patients")).content.decode()
    more = re.search(r'rel="next" href="([^"]+)"', first).group(1)
    second = browser.get(reverse("patients") + more).content.decode()
    assert [name in first for name in ("ROW-4", "ROW-2", "ROW-1")] == [True, True, False]
    assert [name in second for name in ("ROW-2", "ROW-1", "ROW-0")] == [False, True, True]


def test_a_plain_form_says_what_became_of_each_file(browser, site):
    text = SimpleUploadedFile("letter.dcm", b"Dear colleague")
    answer = browser.post(reverse("upload"), {"site": str(site.pk), "files": [text]})
    page = answer.content.decode()
    assert "0 stored, 0 already there, 1 refused" in page
    assert "letter.dcm" in page


def test_a_plain_form_without_files_says_so(browser, site):
    answer = browser.post(reverse("upload"), {"site": str(site.pk)})
    assert answer.status_code == 422
    assert "Choose the files" in answer.content.decode()


def test_a_referrer_cannot_send(referrer, client_of, site):
    file = SimpleUploadedFile("a.dcm", b"x")
    answer = client_of(referrer).post(reverse("upload"), {"site": str(site.pk), "files": [file]})
    assert answer.status_code == 403


def test_a_token_is_shown_once_works_and_is_revoked(radiologist, client_of):
    browser = client_of(radiologist)
    made = browser.post(reverse("token-create")).content.decode()
    token = re.search(r'id="token">([0-9a-zA-Z]+)<', made).group(1)
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert program.get("/api/v1/studies/").status_code == 200
    later = browser.get(reverse("account")).content.decode()
    assert token not in later
    assert token[:8] in later
    key = re.search(r"/account/tokens/(\w+)/revoke/", later).group(1)
    assert browser.post(reverse("token-revoke", args=[key])).status_code == 302
    assert program.get("/api/v1/studies/").status_code == 401


def test_nobody_revokes_the_token_of_another(radiologist, technician, client_of):
    made = client_of(radiologist).post(reverse("token-create")).content.decode()
    key = re.search(r"/account/tokens/(\w+)/revoke/", made).group(1)
    assert client_of(technician).post(reverse("token-revoke", args=[key])).status_code == 404


def test_components_are_shown_while_developing_only(browser, settings):
    settings.DEBUG = False
    assert browser.get(reverse("components")).status_code == 404
    settings.DEBUG = True
    assert browser.get(reverse("components")).status_code == 200
