"""Where jobs stand in the queue and how long they will take, for many studies at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from inference.jobs import usual_seconds
from inference.models import Job

Open = tuple[UUID, str, datetime | None]


@dataclass(frozen=True)
class Place:
    """Place of a study's job (0 while it is read) and the seconds until its result, where known."""

    place: int
    seconds: float | None


def places_of(study_ids: Iterable[UUID]) -> dict[UUID, Place]:
    """Places of the open jobs of these studies among the open jobs of all sites; two queries."""
    wanted = set(study_ids)
    if not wanted:
        return {}
    open_jobs = list(
        Job._base_manager.filter(state__in=Job.OPEN)
        .order_by("-priority", "queued_at")
        .values_list("study_id", "state", "started_at")
    )
    if not any(study in wanted for study, _, _ in open_jobs):
        return {}
    usual = usual_seconds()
    return {study: place for study, place in _placed(open_jobs, usual) if study in wanted}


def _placed(open_jobs: list[Open], usual: float | None) -> Iterable[tuple[UUID, Place]]:
    left = [
        (study, None if usual is None else _left(usual, started))
        for study, state, started in open_jobs
        if state == Job.State.RUNNING
    ]
    for study, seconds in left:
        yield study, Place(0, seconds)
    before = max((seconds for _, seconds in left if seconds is not None), default=0.0)
    waiting = [study for study, state, _ in open_jobs if state == Job.State.QUEUED]
    for place, study in enumerate(waiting, 1):
        yield study, Place(place, None if usual is None else before + usual * place)


def _left(usual: float, started: datetime | None) -> float:
    """Seconds that a running job still needs, at least one."""
    return usual if started is None else max(usual - (timezone.now() - started).total_seconds(), 1.0)
