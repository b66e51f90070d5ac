"""Names and shapes that programs outside rely on (DESIGN section 8)."""

from __future__ import annotations

import io
import uuid

import numpy as np
import pytest

from core.models import AuditEntry
from inference.models import Finding
from tests.factories import (
    FindingFactory,
    JobFactory,
    PatientFactory,
    ReadingFactory,
    SeriesFactory,
    StudyFactory,
    VolumeFactory,
    ball,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(radiologist, api_of):
    return api_of(radiologist)


@pytest.fixture
def study(site):
    return StudyFactory(site=site, ready=True)


def test_a_study_is_found_by_its_uid(api, study, site):
    StudyFactory(site=site)
    (found,) = api.get("/api/v1/studies/", {"study_instance_uid": study.study_instance_uid}).json()["results"]
    assert set(found) >= {
        "id",
        "study_instance_uid",
        "patient",
        "accession_number",
        "description",
        "started_at",
        "status",
        "progress",
        "stage",
        "reason",
        "scan_probability",
        "finding_count",
        "lead_finding",
        "review",
        "series_choice",
        "warnings",
    }
    assert (found["status"], found["progress"], found["scan_probability"]) == ("ready", 1.0, 0.81)
    assert found["patient"]["medical_record_number"] == study.patient.medical_record_number


@pytest.mark.parametrize("key", ["pk", "study_instance_uid"])
def test_a_study_is_fetched_by_id_or_uid(api, study, key):
    assert api.get(f"/api/v1/studies/{getattr(study, key)}/").json()["id"] == str(study.pk)


def test_findings_carry_place_size_and_probability(api, study):
    answer = api.get("/api/v1/findings/", {"study_instance_uid": study.study_instance_uid, "page_size": 200})
    first, *others = answer.json()["results"]
    assert len(others) == 2
    assert first["center_mm"] == [-59.0, 10.0, -100.0]
    assert (first["diameter_mm"], first["long_axis_mm"], first["short_axis_mm"]) == (11.2, 13.0, 9.4)
    assert (first["volume_mm3"], first["type"], first["side"]) == (601.0, "solid", "right")
    assert [f["p_nodule"] for f in (first, *others)] == sorted(
        (f["p_nodule"] for f in (first, *others)), reverse=True
    )
    assert {"malignancy", "malignancy_low", "malignancy_high", "slice_index", "number"} <= set(first)


def test_only_findings_of_the_newest_reading_are_listed_unless_one_is_named(api, study):
    old = study.readings.get()
    new = ReadingFactory(study=study, findings=1)
    asked = {"study_instance_uid": study.study_instance_uid}
    (found,) = api.get("/api/v1/findings/", asked).json()["results"]
    assert found["reading"] == str(new.pk)
    assert len(api.get("/api/v1/findings/", {**asked, "reading": str(old.pk)}).json()["results"]) == 3


def test_the_outline_comes_as_an_array_with_its_place(api, study):
    finding = api.get("/api/v1/findings/", {"study": str(study.pk)}).json()["results"][0]
    answer = api.get(finding["mask_url"])
    assert answer["X-Mask-Start"] == "148,260,165"
    assert "private" in answer["Cache-Control"]
    assert (np.load(io.BytesIO(answer.content)) == ball()).all()


@pytest.mark.parametrize(
    "accept", ["image/png", "*/*", "application/json", "image/avif,image/webp,*/*;q=0.8"]
)
def test_the_key_image_comes_as_a_picture(api, study, accept):
    finding = FindingFactory(reading=study.readings.get(), number=9, with_key_image=True)
    url = api.get(f"/api/v1/findings/{finding.pk}/").json()["key_image_url"]
    answer = api.get(url, HTTP_ACCEPT=accept)
    assert answer["Content-Type"] == "image/png"
    assert answer.getvalue().startswith(b"\x89PNG")


def test_a_finding_without_key_image_says_so(api, study):
    finding = study.findings.first()
    assert api.get(f"/api/v1/findings/{finding.pk}/").json()["key_image_url"] is None
    answer = api.get(f"/api/v1/findings/{finding.pk}/key-image/", HTTP_ACCEPT="image/png")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:lungportal:problem:not_found")


def test_a_series_says_why_it_is_not_read(api, site):
    series = SeriesFactory(study=StudyFactory(site=site, not_read=True), refused=True)
    found = api.get(f"/api/v1/series/{series.pk}/").json()
    assert found["refusal"].startswith("Slices of 8.0 mm")
    assert found["checks"][0]["code"] == "E_THICK"


def test_a_reading_carries_every_hash(api, study):
    (found,) = api.get("/api/v1/readings/", {"study": str(study.pk)}).json()["results"]
    assert {"pipeline_sha256", "networks", "volume_digest", "code_version", "timings_s"} <= set(found)


def test_waiting_jobs_say_their_place(api, site):
    jobs = [JobFactory(volume=VolumeFactory(series__study__site=site)) for _ in range(3)]
    found = {job["id"]: job for job in api.get("/api/v1/jobs/").json()["results"]}
    assert [found[str(job.pk)]["queue_position"] for job in jobs] == [0, 1, 2]
    assert all(job["expected_seconds"] is None for job in found.values())  # nothing was read yet


def test_the_queue_of_a_list_agrees_with_that_of_one_job(site):
    from datetime import timedelta

    from django.utils import timezone

    from inference import jobs as one_by_one
    from inference.models import Job
    from inference.waiting import Queue

    now = timezone.now()
    for _ in range(3):
        JobFactory(done=True, started_at=now - timedelta(seconds=70), ended_at=now - timedelta(seconds=40))
    JobFactory(state="running", started_at=now - timedelta(seconds=10))
    for _ in range(3):
        JobFactory()
    queue = Queue()
    for job in Job.objects.all():
        assert queue.position(job) == one_by_one.queue_position(job)
        assert queue.seconds(job) == pytest.approx(one_by_one.expected_seconds(job), abs=0.5)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"status": "ready"}, 1),
        ({"status": "failed"}, 0),
        ({"review": "unread"}, 2),
        ({"started_after": "2026-03-12", "started_before": "2026-03-12"}, 2),
        ({"started_after": "2026-03-13"}, 0),
        ({"text": "roentgen"}, 1),
        ({"text": "nobody"}, 0),
        ({"site": "north"}, 2),
    ],
    ids=str,
)
def test_studies_are_narrowed(api, study, site, asked, found):
    StudyFactory(site=site, patient=PatientFactory(site=site, name="ROENTGEN^WILHELM"))
    assert len(api.get("/api/v1/studies/", asked).json()["results"]) == found


def test_the_most_suspicious_study_comes_first_when_asked(api, site):
    dull, hot = (StudyFactory(site=site, priority=p) for p in (0.1, 0.9))
    newest = StudyFactory(site=site, priority=0.5)
    ids = [s["id"] for s in api.get("/api/v1/studies/", {"ordering": "most_suspicious"}).json()["results"]]
    assert ids == [str(s.pk) for s in (hot, newest, dull)]
    assert api.get("/api/v1/studies/").json()["results"][0]["id"] == str(newest.pk)


def test_pages_follow_one_another_by_cursor(api, site):
    for _ in range(5):
        StudyFactory(site=site)
    seen, url = [], "/api/v1/studies/?page_size=2"
    while url:
        page = api.get(url).json()
        seen += [study["id"] for study in page["results"]]
        url = page["next"]
    assert len(seen) == len(set(seen)) == 5


def test_me_names_person_sites_and_roles(api, radiologist):
    me = api.get("/api/v1/me/").json()
    assert me["email"] == radiologist.email
    assert [(site["code"], site["roles"]) for site in me["sites"]] == [("north", ["radiologist"])]


@pytest.mark.parametrize(
    "room", ["studies", "findings", "series", "jobs", "readings", "decisions", "reports", "patients"]
)
@pytest.mark.parametrize("rows", [1, 8])
def test_lists_cost_the_same_queries_however_long(room, rows, api, site, django_assert_max_num_queries):
    for _ in range(rows):
        study = StudyFactory(site=site, ready=True)
        JobFactory(volume=VolumeFactory(series__study=study))
    api.get("/api/v1/me/")  # the token is known from here on
    with django_assert_max_num_queries(11):
        answer = api.get(f"/api/v1/{room}/")
    assert answer.status_code == 200


def test_each_call_is_in_the_audit_trail(api, radiologist, study):
    api.get(f"/api/v1/studies/{study.pk}/")
    entry = AuditEntry.objects.filter(person_id=radiologist.pk, action="view").latest("id")
    assert (entry.target_type, entry.target_id) == ("api-study-detail", str(study.pk))
    api.get(f"/api/v1/studies/{uuid.uuid4()}/")
    assert AuditEntry.objects.latest("id").action == "refused"


def test_changes_over_the_api_carry_the_name_of_the_person(api, radiologist, study):
    finding = Finding.objects.get(study=study, number=1)
    answer = api.post("/api/v1/decisions/", {"finding": str(finding.pk), "kind": "accept"})
    assert answer.status_code == 201
    entry = AuditEntry.objects.get(target_type="reports.decision")
    assert (entry.person_id, entry.person_name) == (radiologist.pk, "Radiologist North")
