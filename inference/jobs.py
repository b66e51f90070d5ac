"""Jobs: asked for once, taken by one worker at a time, ended once and truthfully.

A worker holds a job by a lease (a random token, DESIGN promise 4). It shows that it lives by a heartbeat; a
job whose worker fell silent is given out anew, at most three times. A message in the broker only says "there
may be work": which job is next stands in the database, so a lost or doubled message does no harm.
"""

from __future__ import annotations

import logging
import statistics
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.permissions import require_role
from core.outbox import promise
from core.problems import Conflict
from inference.models import Job, Reading
from inference.pipeline import current_pipeline
from inference.summary import show_reading
from scans.models import Series, Study, Volume

if TYPE_CHECKING:
    from accounts.models import Person

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
SILENCE = timedelta(seconds=20)
WAKE = "inference.tasks.read_next"
LOST_WORKER = "The reading was started three times and its worker stopped each time. Tell the administrator."
GREW = "More images of this series came: all of them are read together in another job."
RECENT_JOBS = 20
ASKED_BY_A_PERSON = 10


class LeaseLostError(Exception):
    """The job was given to another worker, or cancelled: its result must not be written."""


@transaction.atomic
def plan(
    study: Study, volume: Volume, *, read_anyway: bool = False, asked_by: Person | None = None
) -> Job | None:
    """Ask for a reading of a volume; None if the pipeline in force has read it already."""
    _give_way(volume)
    known = Reading.objects.filter(volume=volume, pipeline=current_pipeline()).first()
    if known is not None:
        show_reading(study, known)
        return None
    job, made = Job.objects.get_or_create(
        volume=volume,
        state__in=Job.OPEN,
        defaults={
            "site_id": study.site_id,
            "study": study,
            "read_anyway": read_anyway,
            "asked_by": asked_by.pk if asked_by else None,
            "priority": ASKED_BY_A_PERSON if asked_by else 0,
        },
    )
    if made:
        _show(job, Study.Status.WAITING)
        promise(WAKE)
    return job


def _give_way(volume: Volume) -> None:
    """Cancel what is still to be read of the same series from before it had all of its images."""
    others = Job.objects.select_for_update().open().filter(volume__series=volume.series_id)
    for job in others.exclude(volume=volume):
        job.state, job.ended_at, job.lease, job.reason = Job.State.CANCELLED, timezone.now(), None, GREW
        job.save()


def read_anyway(person: Person, series: Series) -> Job | None:
    """A radiologist wants a series read although the checks refused it; the result will say so.

    Raises
    ------
    Forbidden : the person is no radiologist at this site.
    Conflict : the series makes no volume, so there is nothing to read.
    """
    require_role(person, series.site_id, "radiologist")
    _require_open(series.study)
    volume = series.volumes.order_by("-id").first()
    if volume is None:
        raise Conflict("no_volume", "This series makes no volume (see its checks), so it cannot be read.")
    study = series.study
    study.read_series = series
    study.series_choice = f"Series {series.series_number or '–'} was chosen by {person}."
    study.save(update_fields=["read_series", "series_choice"])
    return plan(study, volume, read_anyway=bool(series.refusal), asked_by=person)


@transaction.atomic
def claim_next() -> Job | None:
    """Take the most urgent waiting job, with a new lease; None if there is none."""
    waiting = Job.objects.select_for_update(skip_locked=True).filter(state=Job.State.QUEUED)
    job = waiting.order_by("-priority", "queued_at").first()
    if job is None:
        return None
    job.state, job.lease, job.attempt = Job.State.RUNNING, uuid.uuid4(), job.attempt + 1
    job.started_at = job.heartbeat_at = timezone.now()
    job.stage, job.progress, job.reason = "starting", 0, ""
    job.save()
    _show(job, Study.Status.READING)
    return job


def beat(job: Job, stage: str, progress: float) -> None:
    """Say that the worker lives and how far it is.

    Raises
    ------
    LeaseLostError : the job is no longer ours.
    """
    held = Job.objects.filter(pk=job.pk, lease=job.lease, state=Job.State.RUNNING)
    if not held.update(heartbeat_at=timezone.now(), stage=stage, progress=progress):
        raise LeaseLostError
    Study.objects.filter(pk=job.study_id).update(stage=stage, progress=progress)


def held(job: Job) -> Job:
    """The job's row, locked; to be called inside the transaction that writes the result.

    Raises
    ------
    LeaseLostError : the job is no longer ours.
    """
    row = Job.objects.select_for_update().filter(pk=job.pk, lease=job.lease, state=Job.State.RUNNING).first()
    if row is None:
        raise LeaseLostError
    return row


def end(job: Job) -> None:
    """The result is written: the job is done. Part of the transaction that wrote it."""
    job.state, job.ended_at, job.progress, job.lease = Job.State.DONE, timezone.now(), 1, None
    job.save()


@transaction.atomic
def give_back(job: Job, reason: str) -> None:
    """An attempt came to nothing: wait for another one, or fail for good after the third."""
    try:
        row = held(job)
    except LeaseLostError:
        return
    _again_or_failed(row, reason)


def _again_or_failed(job: Job, reason: str) -> None:
    job.lease, job.reason = None, reason[:500]
    if job.attempt >= MOST_ATTEMPTS:
        job.state, job.ended_at = Job.State.FAILED, timezone.now()
        job.save()
        _show_without(job, Study.Status.FAILED)
        return
    job.state, job.stage, job.progress = Job.State.QUEUED, "", 0
    job.save()
    _show(job, Study.Status.WAITING)
    promise(WAKE)


def reap() -> int:
    """Give out anew what silent workers held, and wake a worker if jobs wait; returns how many were lost."""
    lost = 0
    with transaction.atomic():
        silent = Job.objects.select_for_update(skip_locked=True).lost_since(timezone.now() - SILENCE)
        for job in silent:
            logger.warning("job %s: attempt %s fell silent", job.pk, job.attempt)
            _again_or_failed(job, LOST_WORKER)
            lost += 1
    if Job.objects.unheard_since(timezone.now() - SILENCE).exists():
        promise(WAKE)
    return lost


@transaction.atomic
def cancel(person: Person, job: Job) -> Job:
    """Stop a job that has not ended; a running one stops at its next heartbeat.

    Raises
    ------
    Forbidden, Conflict : the role does not allow it, or the job has ended.
    """
    require_role(person, job.site_id, "radiologist", "technician", "administrator")
    row = Job.objects.select_for_update().get(pk=job.pk)
    if row.state not in Job.OPEN:
        raise Conflict("job_ended", f"The job has already ended ({row.get_state_display()}).")
    row.state, row.ended_at, row.lease = Job.State.CANCELLED, timezone.now(), None
    row.reason = f"Cancelled by {person}."
    row.save()
    _show_without(row, Study.Status.NOT_READ)
    return row


@transaction.atomic
def retry(person: Person, job: Job) -> Job | None:
    """Read again what failed or was cancelled.

    Raises
    ------
    Forbidden, Conflict : the role does not allow it, or the job is still open or done.
    """
    require_role(person, job.site_id, "radiologist", "technician", "administrator")
    _require_open(job.study)
    if job.state not in (Job.State.FAILED, Job.State.CANCELLED):
        raise Conflict("job_not_failed", "Only a job that failed or was cancelled can be read again.")
    return plan(job.study, job.volume, read_anyway=job.read_anyway, asked_by=person)


def _require_open(study: Study) -> None:
    if study.review == Study.Review.FINAL:
        raise Conflict("report_is_final", "The report of this study is signed: nothing is read again for it.")


def queue_position(job: Job) -> int:
    """How many jobs will be read before this one."""
    return 0 if job.state != Job.State.QUEUED else Job.objects.ahead_of(job).count()


def expected_seconds(job: Job) -> float | None:
    """Seconds until the result, from the median of the last jobs; None where there is no experience yet."""
    usual = usual_seconds()
    if usual is None or job.state not in Job.OPEN:
        return None
    if job.state == Job.State.RUNNING:
        return max(usual - _elapsed(job.started_at), 1.0)
    running = Job.objects.filter(state=Job.State.RUNNING).order_by("started_at").first()
    left = max(usual - _elapsed(running.started_at), 1.0) if running else 0.0
    waiting = Job.objects.ahead_of(job).filter(state=Job.State.QUEUED).count()
    return left + (waiting + 1) * usual


def usual_seconds() -> float | None:
    """Median time of the last jobs from start to end."""
    ended = Job.objects.filter(Q(state=Job.State.DONE) & Q(started_at__isnull=False)).order_by("-ended_at")
    times = ended.values_list("started_at", "ended_at")[:RECENT_JOBS]
    took = [(end - start).total_seconds() for start, end in times if start and end]
    return statistics.median(took) if took else None


def _elapsed(since: datetime | None) -> float:
    return (timezone.now() - since).total_seconds() if since else 0.0


def _show(job: Job, status: Study.Status) -> None:
    """Let the worklist say where the job is."""
    reason = job.reason if status in (Study.Status.FAILED, Study.Status.NOT_READ) else ""
    Study.objects.filter(pk=job.study_id).update(
        status=status, stage=job.stage, progress=job.progress, reason=reason
    )


def _show_without(job: Job, status: Study.Status) -> None:
    """A job ended without a result: the study shows its last reading if it has one, else the status."""
    earlier = Reading.objects.filter(study=job.study_id).order_by("-id").first()
    if earlier is None:
        _show(job, status)
    else:
        show_reading(job.study, earlier)
