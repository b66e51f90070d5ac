"""What may be asked about jobs, readings and findings."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import OuterRef, Q, Subquery

from core.querysets import SiteQuerySet

if TYPE_CHECKING:
    from inference.models import Finding, Job, Reading


class JobQuerySet(SiteQuerySet["Job"]):
    hidden_path = "study__hidden_at"

    def open(self) -> Self:
        """Jobs that have not ended (a positive list, so that the partial index serves)."""
        return self.filter(state__in=self.model.OPEN)

    def ahead_of(self, job: Job) -> Self:
        """Open jobs that will be read before this one."""
        sooner = Q(priority__gt=job.priority) | Q(priority=job.priority, queued_at__lt=job.queued_at)
        return self.open().filter(sooner | Q(state="running")).exclude(pk=job.pk)

    def lost_since(self, moment: datetime) -> Self:
        """Running jobs whose worker has not been heard of since a moment."""
        return self.filter(state="running", heartbeat_at__lt=moment)

    def unheard_since(self, moment: datetime) -> Self:
        """Waiting jobs whose message was sent before a moment and that nobody has taken."""
        return self.filter(state="queued", sent_at__lt=moment)


class ReadingQuerySet(SiteQuerySet["Reading"]):
    hidden_path = "study__hidden_at"


class FindingQuerySet(SiteQuerySet["Finding"]):
    hidden_path = "study__hidden_at"

    def current(self) -> Self:
        """Findings of the newest reading of each study; asks by study, so that it costs what is listed."""
        from inference.models import Reading  # noqa: PLC0415 - the models import this module

        newest = Reading._base_manager.filter(study=OuterRef("study")).order_by("-id").values("pk")[:1]
        return self.filter(reading=Subquery(newest))
