"""A job ends exactly once, in a truthful state, whatever is killed (DESIGN promise 4)."""

from __future__ import annotations

import threading
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Person, Site
from core.models import OutboxMessage
from core.problems import Conflict, Forbidden
from inference import jobs, results
from inference.cnn.reading import FoundNodule, VolumeReading
from inference.models import Finding, Job, Reading
from scans.dicom.volume import BuiltVolume
from scans.models import Study, Volume
from scans.volumes import open_volume
from tests.dicom_files import chest
from tests.factories import JobFactory, ReadingFactory, SeriesFactory, StudyFactory, VolumeFactory
from tests.scans.ingest.test_complete import complete_study, send

pytestmark = pytest.mark.django_db


def long_ago() -> object:
    return timezone.now() - timedelta(minutes=5)


def nodule(**changes: object) -> FoundNodule:
    values: dict[str, object] = {
        "center_mm": (0.0, 0.0, 96.0), "slice_index": 32, "start": (30, 28, 18),
        "mask": np.ones((4, 6, 6), bool), "volume_mm3": 700.0,
        "long_axis_mm": 12.0, "short_axis_mm": 9.0, "mean_diameter_mm": 10.5,
        "type": "solid", "side": "right", "p_nodule": 0.9, "malignancy": 0.7,
        "malignancy_low": 0.5, "malignancy_high": 0.8, **changes,
    }  # fmt: skip
    return FoundNodule(**values)  # type: ignore[arg-type]


SAID = VolumeReading(
    (nodule(), nodule(p_nodule=0.4, malignancy=0.1)), 0.66, "high", 4200.0, {"lungs": 1.0}, {}
)


@pytest.fixture
def planned(site: Site, technician: Person) -> Job:
    """A waiting job for a real volume."""
    study = send(site, technician, chest())
    complete_study(study)
    job = jobs.plan(study, Volume.objects.get())
    assert job is not None
    return job


def built(job: Job) -> BuiltVolume:
    return open_volume(job.volume).read()


def test_a_volume_is_asked_for_once(planned: Job) -> None:
    again = jobs.plan(planned.study, planned.volume)

    assert again == planned
    assert Study.objects.get().status == "waiting"


def test_a_worker_takes_reads_and_ends_a_job(planned: Job) -> None:
    job = jobs.claim_next()
    assert job is not None
    jobs.beat(job, "candidates", 0.4)
    assert (Study.objects.get().status, Study.objects.get().stage) == ("reading", "candidates")
    reading = results.write(job, SAID, built(job))

    planned.refresh_from_db()
    study = Study.objects.get()
    assert (planned.state, planned.attempt, planned.lease) == ("done", 1, None)
    assert (study.status, study.finding_count, study.priority) == ("ready", 2, 0.66)
    assert study.lead_finding == "Right lung, 10.5 mm solid"
    assert reading.volume_digest == planned.volume.digest
    assert Finding.objects.exclude(key_image="").count() == 2


def test_the_outline_survives_the_database(planned: Job) -> None:
    mask = np.random.default_rng(1).random((5, 7, 9)) > 0.5
    job = jobs.claim_next()
    assert job is not None
    said = VolumeReading((nodule(mask=mask, start=(30, 20, 10), slice_index=31),), 0.5, "low", 4000.0)
    results.write(job, said, built(job))

    assert (results.mask_of(Finding.objects.get()) == mask).all()


def test_thick_slices_give_no_volume_in_mm3(planned: Job) -> None:
    planned.volume.series.checks = [{"code": "W_NOVOL", "level": "WARN", "sentence": ""}]
    planned.volume.series.save()
    job = jobs.claim_next()
    assert job is not None
    results.write(job, SAID, built(job))

    assert set(Finding.objects.values_list("volume_mm3", flat=True)) == {None}


def test_a_silent_worker_loses_its_job_and_cannot_write_its_result(planned: Job) -> None:
    slow = jobs.claim_next()
    Job.objects.update(heartbeat_at=long_ago())
    assert jobs.reap() == 1
    quick = jobs.claim_next()
    assert slow is not None
    assert quick is not None

    with pytest.raises(jobs.LeaseLostError):
        results.write(slow, SAID, built(slow))
    with pytest.raises(jobs.LeaseLostError):
        jobs.beat(slow, "late", 0.9)
    results.write(quick, SAID, built(quick))
    assert Reading.objects.count() == 1
    assert Job.objects.get().attempt == 2


def test_after_three_attempts_the_job_fails_with_a_reason(planned: Job) -> None:
    for _ in range(3):
        assert jobs.claim_next() is not None
        Job.objects.update(heartbeat_at=long_ago())
        jobs.reap()

    assert jobs.claim_next() is None
    study = Study.objects.get()
    assert (Job.objects.get().state, study.status) == ("failed", "failed")
    assert "administrator" in study.reason


def test_an_attempt_that_raises_is_given_back(planned: Job) -> None:
    job = jobs.claim_next()
    assert job is not None
    jobs.give_back(job, "An unexpected error.")

    assert Job.objects.get().state == "queued"
    assert Study.objects.get().status == "waiting"


def test_a_waiting_job_whose_message_was_lost_wakes_a_worker(planned: Job) -> None:
    OutboxMessage.objects.filter(pk__isnull=False).delete()
    Job.objects.update(sent_at=long_ago())
    jobs.reap()

    assert OutboxMessage.objects.get().task == "inference.tasks.read_next"


def test_the_same_volume_is_not_read_twice_by_one_pipeline(planned: Job) -> None:
    job = jobs.claim_next()
    assert job is not None
    results.write(job, SAID, built(job))

    assert jobs.plan(planned.study, planned.volume) is None
    assert Study.objects.get().status == "ready"


def test_what_a_person_asked_for_comes_first(db: None) -> None:
    JobFactory()
    asked = JobFactory(priority=10)

    assert jobs.claim_next() == asked


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_an_ended_job_cannot_be_cancelled(site: Site, technician: Person, state: str) -> None:
    job = JobFactory(study=StudyFactory(site=site), state=state)
    with pytest.raises(Conflict):
        jobs.cancel(technician, job)


def test_a_cancelled_job_stops_and_can_be_asked_for_again(planned: Job, technician: Person) -> None:
    running = jobs.claim_next()
    assert running is not None
    jobs.cancel(technician, running)
    with pytest.raises(jobs.LeaseLostError):
        jobs.beat(running, "candidates", 0.5)
    running.refresh_from_db()
    again = jobs.retry(technician, running)

    assert again is not None
    assert (again.state, again.pk != running.pk) == ("queued", True)


def test_only_a_radiologist_reads_anyway(site: Site, technician: Person, radiologist: Person) -> None:
    study = send(site, technician, chest(SliceThickness=8.0))
    complete_study(study)
    series = study.series.get()
    with pytest.raises(Forbidden):
        jobs.read_anyway(technician, series)
    job = jobs.read_anyway(radiologist, series)

    assert job is not None
    assert job.read_anyway
    assert "chosen by Radiologist" in Study.objects.get().series_choice


def test_a_series_without_a_volume_cannot_be_read_anyway(site: Site, radiologist: Person) -> None:
    with pytest.raises(Conflict):
        jobs.read_anyway(radiologist, SeriesFactory(study=StudyFactory(site=site)))


def test_place_and_time_in_the_queue_are_honest(db: None) -> None:
    assert jobs.expected_seconds(JobFactory()) is None
    now = timezone.now()
    ReadingFactory(
        job=JobFactory(
            state="done", started_at=now - timedelta(seconds=50), ended_at=now - timedelta(seconds=30)
        )
    )
    last = JobFactory()

    assert jobs.queue_position(last) == 1
    assert jobs.expected_seconds(last) == pytest.approx(40, abs=1)


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_take_the_same_job(db: None) -> None:
    expected = {JobFactory(volume=VolumeFactory()).pk for _ in range(6)}
    taken: list[object] = []
    barrier = threading.Barrier(3)

    def worker() -> None:
        barrier.wait()
        while (job := jobs.claim_next()) is not None:
            taken.append(job.pk)
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, taken)) == sorted(map(str, expected))


def test_nothing_is_read_again_once_the_report_is_signed(planned: Job, radiologist: Person) -> None:
    Study.objects.update(review="final")
    planned.refresh_from_db()
    with pytest.raises(Conflict, match="signed"):
        jobs.read_anyway(radiologist, planned.volume.series)


def more_images(site: Site, technician: Person) -> Study:
    """The study of `planned` gets one slice more."""
    return send(site, technician, chest(65)[64:])


def test_a_result_that_comes_while_images_arrive_does_not_call_the_study_ready(
    planned: Job, site: Site, technician: Person
) -> None:
    job = jobs.claim_next()
    assert job is not None
    more_images(site, technician)
    results.write(job, SAID, built(job))

    assert Study.objects.get().status == "received"
    assert Job.objects.get().state == "done"


def test_a_job_for_an_incomplete_volume_gives_way_to_the_one_for_the_whole(
    planned: Job, site: Site, technician: Person
) -> None:
    old = jobs.claim_next()
    assert old is not None
    study = more_images(site, technician)
    complete_study(study)
    new = jobs.plan(study, Volume.objects.order_by("-id")[0])

    assert new is not None
    with pytest.raises(jobs.LeaseLostError):
        results.write(old, SAID, built(old))
    old.refresh_from_db()
    assert (old.state, new.state) == ("cancelled", "queued")
    assert "More images" in old.reason
    assert Study.objects.get().status == "waiting"


def test_a_cancelled_second_job_leaves_the_reading_that_is_there(planned: Job, technician: Person) -> None:
    job = jobs.claim_next()
    assert job is not None
    results.write(job, SAID, built(job))
    second = JobFactory(
        study=planned.study,
        site=planned.site,
        volume=VolumeFactory(series=SeriesFactory(study=planned.study)),
    )
    jobs.cancel(technician, second)

    study = Study.objects.get(pk=planned.study.pk)
    assert (study.status, study.finding_count) == ("ready", 2)
