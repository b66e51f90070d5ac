"""Results that were asked for, until they are made: a failure or a lost worker is tried again."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from core.audit import covered
from core.outbox import promise
from reports.models import WantedResults
from scans.models import Study

logger = logging.getLogger(__name__)

TASK = "reports.tasks.make_results"
PATIENCE = timedelta(minutes=10)
"""Longer than a task may take: what is not made by then was lost with its worker."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
MOST_AT_ONCE = 200


def want(study: Study) -> None:
    """Ask for the results of a study; part of the caller's transaction."""
    now = timezone.now()
    asked = {"site_id": study.site_id, "asked_at": now, "next_attempt_at": now + PATIENCE}
    anew = {"attempts": 0, "last_error": ""}
    WantedResults.objects.update_or_create(study=study, defaults=asked | anew)
    promise(TASK, study_id=study.pk)


def made(wanted: WantedResults) -> None:
    """Forget what is made, which has entries of its own; asked for again meanwhile, it stays."""
    with covered():
        WantedResults.objects.filter(pk=wanted.pk, asked_at=wanted.asked_at).delete()


def failed(wanted: WantedResults, sentence: str) -> None:
    """Note a failure; the next attempt is made later than the last."""
    pause = min(FIRST_PAUSE * 2 ** min(wanted.attempts, 10), LONGEST_PAUSE)
    WantedResults.objects.filter(pk=wanted.pk, asked_at=wanted.asked_at).update(
        attempts=wanted.attempts + 1, last_error=sentence[:300], next_attempt_at=timezone.now() + pause
    )
    logger.warning("results of study %s, attempt %d: not made", wanted.study_id, wanted.attempts + 1)


def promise_due() -> int:
    """Promise what waits for another attempt; returns how many."""
    now = timezone.now()
    with transaction.atomic():
        due = WantedResults.objects.due(now).select_for_update(skip_locked=True)
        rows = list(due.order_by("next_attempt_at")[:MOST_AT_ONCE])
        for row in rows:
            promise(TASK, study_id=row.study_id)
        WantedResults.objects.filter(pk__in=[r.pk for r in rows]).update(next_attempt_at=now + PATIENCE)
    return len(rows)


def try_again(rows: list[WantedResults]) -> int:
    """Hurry what waits; returns how many."""
    WantedResults.objects.filter(pk__in=[r.pk for r in rows]).update(next_attempt_at=timezone.now())
    promise_due()
    return len(rows)
