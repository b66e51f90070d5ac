"""The queue at one moment: places and expected times of many jobs for a constant number of queries."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from uuid import UUID

from django.utils import timezone

from inference.jobs import usual_seconds
from inference.models import Job


class Queue:
    """Says the same as `jobs.queue_position` and `jobs.expected_seconds`, without asking for each job."""

    def position(self, job: Job) -> int:
        """How many jobs will be read before this one."""
        if job.state != Job.State.QUEUED or job.pk not in self._waiting:
            return 0
        return len(self._running) + self._waiting[job.pk]

    def seconds(self, job: Job) -> float | None:
        """Seconds until the result, from the median of the last jobs; None where there is no experience."""
        if job.state not in Job.OPEN or self._usual is None:
            return None
        if job.state == Job.State.RUNNING:
            return self._left(job.started_at, self._usual)
        first = self._left(self._running[0], self._usual) if self._running else 0.0
        return first + (self._waiting.get(job.pk, 0) + 1) * self._usual

    @staticmethod
    def _left(started: datetime | None, usual: float) -> float:
        passed = (timezone.now() - started).total_seconds() if started else 0.0
        return max(usual - passed, 1.0)

    @cached_property
    def _usual(self) -> float | None:
        return usual_seconds()

    @cached_property
    def _open(self) -> list[tuple[UUID, str, datetime | None]]:
        """Open jobs of all sites, in the order in which they are read; only keys and times are looked at."""
        jobs = Job._base_manager.filter(state__in=Job.OPEN).order_by("-priority", "queued_at")
        return list(jobs.values_list("pk", "state", "started_at"))

    @cached_property
    def _running(self) -> list[datetime]:
        return sorted(started for _, state, started in self._open if state == Job.State.RUNNING and started)

    @cached_property
    def _waiting(self) -> dict[UUID, int]:
        waiting = (pk for pk, state, _ in self._open if state == Job.State.QUEUED)
        return {pk: place for place, pk in enumerate(waiting)}
