"""Everything that the pages can do can be done by REST, with the same rules."""

from __future__ import annotations

import pytest

from patients.models import Patient
from tests.factories import (
    PASSWORD,
    JobFactory,
    MembershipFactory,
    PatientFactory,
    PersonFactory,
    PipelineFactory,
    ReportFactory,
    SeriesFactory,
    SiteFactory,
    StudyFactory,
    VolumeFactory,
)

pytestmark = pytest.mark.django_db

A_NODULE = {
    "kind": "add",
    "center_mm": [-40.0, 12.0, -90.0],
    "slice_index": 160,
    "long_axis_mm": 6.0,
    "short_axis_mm": 5.0,
    "type": "non_solid",
    "location": "left upper lobe",
}


@pytest.fixture
def api(radiologist, api_of):
    return api_of(radiologist)


@pytest.fixture
def study(site):
    return StudyFactory(site=site, ready=True)


@pytest.fixture(autouse=True)
def _pipeline(monkeypatch):
    """No network is loaded here: any pipeline will do."""
    monkeypatch.setattr("inference.jobs.current_pipeline", PipelineFactory)


def decide_all(api, study):
    for finding in study.findings.all():
        answer = api.post("/api/v1/decisions/", {"finding": str(finding.pk), "kind": "accept"})
        assert answer.status_code == 201, answer.json()


def test_from_findings_to_a_signed_report_with_addendum_and_pdf(api, study):
    decide_all(api, study)
    report = api.post("/api/v1/reports/", {"study": str(study.pk)}).json()
    assert report["version"]["findings"].startswith("Nodule 1: solid, right lung")
    url = f"/api/v1/reports/{report['id']}/"
    saved = api.patch(url, {"revision": 1, "impression": "Three nodules."}).json()
    assert (saved["revision"], saved["impression"]) == (2, "Three nodules.")
    assert api.get(f"{url}redraft/").json()["impression"].startswith("3 pulmonary nodules")
    signed = api.post(f"{url}sign/", {"revision": 2, "password": PASSWORD})
    assert (signed.status_code, signed.json()["state"]) == (200, "final")
    added = api.post(f"{url}addenda/", {"text": "And one more thing.", "password": PASSWORD})
    assert added.status_code == 201
    assert "password" not in added.json()
    assert [a["text"] for a in api.get(url).json()["addenda"]] == ["And one more thing."]
    assert [v["revision"] for v in api.get(f"{url}versions/").json()] == [2, 1]
    pdf = api.get(f"{url}pdf/", HTTP_ACCEPT="application/pdf")
    assert pdf.content.startswith(b"%PDF")
    assert api.get(f"/api/v1/studies/{study.pk}/").json()["review"] == "final"


def test_an_added_nodule_is_revised_through_about(api, study):
    added = api.post("/api/v1/decisions/", {"study": str(study.pk), **A_NODULE}).json()
    revised = api.post("/api/v1/decisions/", {"about": added["id"], "kind": "correct", "type": "solid"})
    assert revised.status_code == 201
    nodule = api.get(f"/api/v1/studies/{study.pk}/nodules/").json()[-1]
    assert (nodule["status"], nodule["type"], nodule["number"]) == ("added", "solid", 4)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "accept"},
        {"kind": "accept", "study": "STUDY"},
        {"kind": "add", "finding": "FINDING"},
        {"kind": "accept", "finding": "FINDING", "study": "STUDY"},
        {"kind": "reject", "finding": "FINDING"},
        {"kind": "correct", "finding": "FINDING", "long_axis_mm": "NaN"},
        {"kind": "correct", "finding": "FINDING", "center_mm": ["NaN", 0, 0]},
        {"kind": "correct", "finding": "FINDING", "long_axis_mm": 1e9},
        {"kind": "add", "study": "STUDY"},
        {"kind": "accept", "finding": "no uuid"},
    ],
    ids=str,
)
def test_a_decision_that_makes_no_sense_is_answered_with_problem_details(api, study, body):
    stand_ins = {"STUDY": str(study.pk), "FINDING": str(study.findings.first().pk)}
    answer = api.post(
        "/api/v1/decisions/", {k: stand_ins.get(v, v) if isinstance(v, str) else v for k, v in body.items()}
    )
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= set(answer.json())


def test_the_second_to_save_gets_a_conflict_that_names_the_first(api, api_of, site, study):
    decide_all(api, study)
    report = api.post("/api/v1/reports/", {"study": str(study.pk)}).json()
    colleague = api_of(PersonFactory(role="radiologist", site=site, name="Colleague"))
    opened = colleague.post("/api/v1/reports/", {"study": str(study.pk)}).json()
    assert opened["editing_by_other"] == "Radiologist North"
    url = f"/api/v1/reports/{report['id']}/"
    assert colleague.patch(url, {"revision": 1, "impression": "Theirs."}).status_code == 200
    answer = api.patch(url, {"revision": 1, "impression": "Mine."})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:lungportal:problem:edited_by_other"
    assert "Colleague" in answer.json()["detail"]


ACTS = {
    "decide": ("post", "/api/v1/decisions/", {"finding": "{finding}", "kind": "accept"}),
    "add": ("post", "/api/v1/decisions/", {"study": "{study}", **A_NODULE}),
    "open draft": ("post", "/api/v1/reports/", {"study": "{study}"}),
    "save": ("patch", "/api/v1/reports/{report}/", {"revision": 1, "impression": "x"}),
    "sign": ("post", "/api/v1/reports/{report}/sign/", {"revision": 1, "password": PASSWORD}),
    "addendum": ("post", "/api/v1/reports/{report}/addenda/", {"text": "x", "password": PASSWORD}),
    "redraft": ("get", "/api/v1/reports/{report}/redraft/", None),
    "read anyway": ("post", "/api/v1/series/{series}/read_anyway/", {}),
    "complete": ("post", "/api/v1/studies/{study}/complete/", {}),
    "cancel": ("post", "/api/v1/jobs/{job}/cancel/", {}),
    "retry": ("post", "/api/v1/jobs/{job}/retry/", {}),
    "new patient": ("post", "/api/v1/patients/", {"medical_record_number": "N1", "name": "NEW^ONE"}),
    "change patient": ("patch", "/api/v1/patients/{patient}/", {"sex": "M"}),
    "risk profile": ("post", "/api/v1/patients/{patient}/risk-profiles/", {"stated_on": "2026-03-01"}),
}
READS = {
    name: ("get", f"/api/v1/{name}/{{{key}}}/", None)
    for name, key in (
        ("patients", "patient"),
        ("studies", "study"),
        ("series", "series"),
        ("jobs", "job"),
        ("readings", "reading"),
        ("findings", "finding"),
        ("reports", "report"),
    )
}
CLINICAL = {"decide", "add", "open draft", "save", "sign", "addendum", "redraft", "read anyway"}


@pytest.fixture
def things(site, study):
    """One of each, with its id."""
    series = SeriesFactory(study=study, refused=True)
    job = JobFactory(volume=VolumeFactory(series=series))
    report = ReportFactory(study=study)
    return {
        "study": study.pk,
        "finding": study.findings.first().pk,
        "series": series.pk,
        "job": job.pk,
        "reading": study.readings.get().pk,
        "report": report.pk,
        "patient": study.patient_id,
    }


def call(client, act, things):
    method, url, body = {**ACTS, **READS}[act]
    fill = lambda value: value.format(**things) if isinstance(value, str) else value  # noqa: E731
    body = body and {key: fill(value) for key, value in body.items()}
    return getattr(client, method)(url.format(**things), body)


@pytest.mark.parametrize("act", [*ACTS, *READS])
@pytest.mark.parametrize("role", ["administrator", "radiologist", "technician", "referrer"])
def test_each_role_may_do_what_it_is_for(role, act, request, api_of, things):
    client = api_of(request.getfixturevalue(role))
    answer = call(client, act, things)
    if role == "referrer":
        assert answer.status_code in (403, 404)
    elif role != "radiologist" and act in CLINICAL:
        assert answer.status_code == 403
    else:
        assert answer.status_code < 500
        assert answer.status_code not in (401, 403, 404)


@pytest.mark.parametrize("act", [*ACTS, *READS])
def test_another_site_is_not_there(act, api_of, stranger, things):
    answer = call(api_of(stranger), act, things)
    assert answer.status_code == (201 if act == "new patient" else 404)


@pytest.mark.parametrize("act", [*ACTS, *READS])
def test_without_a_token_nothing_opens(act, things):
    from rest_framework.test import APIClient

    answer = call(APIClient(), act, things)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == "Token"


def test_a_referrer_reads_final_reports_and_nothing_behind_them(api_of, referrer, site, study):
    draft = ReportFactory(study=study)
    final = ReportFactory(study__site=site, final=True)
    api = api_of(referrer)
    assert [r["id"] for r in api.get("/api/v1/reports/").json()["results"]] == [str(final.pk)]
    assert api.get(f"/api/v1/reports/{final.pk}/").json()["version"]["comparison"] == "None available."
    assert api.get(f"/api/v1/reports/{final.pk}/pdf/").content.startswith(b"%PDF")
    assert api.get(f"/api/v1/reports/{draft.pk}/").status_code == 404
    seen = api.get(f"/api/v1/studies/{final.study_id}/").json()
    assert (seen["scan_probability"], seen["finding_count"], seen["lead_finding"]) == (None, None, "")
    for room in ("findings", "jobs", "readings", "series", "decisions"):
        assert api.get(f"/api/v1/{room}/").json()["results"] == []
    assert api.get(f"/api/v1/studies/{final.study_id}/nodules/").status_code == 404


def test_a_token_of_one_site_opens_that_site_alone(radiologist, site, other_site):
    from rest_framework.test import APIClient

    from accounts.tokens import create_token

    MembershipFactory(person=radiologist, site=other_site)
    here, there = StudyFactory(site=site), StudyFactory(site=other_site)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {create_token(radiologist, other_site)}")
    assert [s["id"] for s in client.get("/api/v1/studies/").json()["results"]] == [str(there.pk)]
    assert client.get(f"/api/v1/studies/{here.pk}/").status_code == 404


def test_a_new_patient_belongs_to_the_site_of_the_person(api, site):
    answer = api.post("/api/v1/patients/", {"medical_record_number": "4711", "name": "NEW^ONE"})
    assert (answer.status_code, answer.json()["site"], answer.json()["issuer"]) == (201, "north", "north")
    assert Patient.objects.get().site == site


def test_the_same_number_of_one_issuer_is_refused_and_of_another_taken(api, site):
    PatientFactory(site=site, issuer="north", medical_record_number="4711")
    taken = api.post("/api/v1/patients/", {"medical_record_number": "4711"})
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:lungportal:problem:number_taken")
    other = api.post("/api/v1/patients/", {"medical_record_number": "4711", "issuer": "elsewhere"})
    assert other.status_code == 201


def test_who_works_at_two_sites_names_one(api, radiologist, other_site):
    MembershipFactory(person=radiologist, site=other_site)
    body = {"medical_record_number": "4711"}
    assert api.post("/api/v1/patients/", body).json()["type"].endswith("site_needed")
    assert api.post("/api/v1/patients/", {**body, "site": "south"}).json()["site"] == "south"


def test_a_patient_cannot_be_put_into_a_foreign_site(api):
    SiteFactory(code="east")
    answer = api.post("/api/v1/patients/", {"medical_record_number": "4711", "site": "east"})
    assert answer.status_code == 403
    assert not Patient.objects.exists()


def test_patients_are_searched_and_risk_profiles_kept(api, site):
    patient = PatientFactory(site=site, name="CURIE^MARIE")
    PatientFactory(site=site)
    (found,) = api.get("/api/v1/patients/", {"search": "curie 1958-03-04"}).json()["results"]
    assert found["display_name"] == "CURIE, MARIE"
    url = f"/api/v1/patients/{patient.pk}/risk-profiles/"
    body = {"stated_on": "2026-03-01", "smoking": "former", "cigarettes_per_day": 20, "years_smoked": 30}
    made = api.post(url, body)
    assert (made.status_code, made.json()["pack_years"]) == (201, 30.0)
    assert made.json()["stated_to"] == "Radiologist North"
    assert len(api.get(url).json()) == 1


def test_a_referrer_gets_no_rejected_marks_and_no_scores(api, api_of, referrer, study):
    first, *others = study.findings.all()
    api.post("/api/v1/decisions/", {"finding": str(first.pk), "kind": "accept"})
    for other in others:
        api.post("/api/v1/decisions/", {"finding": str(other.pk), "kind": "reject", "reason": "vessel"})
    report = api.post("/api/v1/reports/", {"study": str(study.pk)}).json()
    url = f"/api/v1/reports/{report['id']}/"
    api.post(f"{url}sign/", {"revision": 1, "password": PASSWORD})
    assert len(api.get(url).json()["version"]["nodules"]) == 3
    seen = [api_of(referrer).get(url).json()["version"], *api_of(referrer).get(f"{url}versions/").json()]
    for version in seen:
        assert [nodule["status"] for nodule in version["nodules"]] == ["accepted"]
        assert "scan_probability" not in version["software"]


def test_the_number_of_a_patient_and_its_issuer_stay(api, site):
    patient = PatientFactory(site=site)
    number = patient.medical_record_number
    said = {"medical_record_number": "OTHER", "issuer": "elsewhere", "sex": "M"}
    changed = api.patch(f"/api/v1/patients/{patient.pk}/", said).json()
    assert (changed["medical_record_number"], changed["issuer"], changed["sex"]) == (number, "north", "M")
