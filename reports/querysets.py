"""What may be asked about decisions and reports."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db.models import F, Q

from core.querysets import SiteQuerySet

if TYPE_CHECKING:
    from reports.models import Addendum, Decision, Report, ReportVersion, WantedResults


class DecisionQuerySet(SiteQuerySet["Decision"]):
    hidden_path = "study__hidden_at"

    def in_order(self) -> Self:
        return self.order_by("id")


class ReportQuerySet(SiteQuerySet["Report"]):
    hidden_path = "study__hidden_at"

    def referrer_sees(self, site_ids: list[Any]) -> Q:
        """A referrer reads final reports only."""
        return Q(site__in=site_ids, state="final")


class ReportVersionQuerySet(SiteQuerySet["ReportVersion"]):
    hidden_path = "report__study__hidden_at"

    def referrer_sees(self, site_ids: list[Any]) -> Q:
        """Of a final report, the version that was signed."""
        return Q(site__in=site_ids, report__state="final", report__final_version=F("pk"))


class AddendumQuerySet(SiteQuerySet["Addendum"]):
    hidden_path = "report__study__hidden_at"

    def referrer_sees(self, site_ids: list[Any]) -> Q:
        return Q(site__in=site_ids)


class WantedResultsQuerySet(SiteQuerySet["WantedResults"]):
    hidden_path = "study__hidden_at"

    def due(self, moment: datetime) -> Self:
        """What may be tried again now."""
        return self.filter(next_attempt_at__lte=moment)
