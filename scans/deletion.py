"""Deleting a study: asked for and confirmed, hidden at once, undone within days, then gone (decision 7)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pgtrigger
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.deletion import Collector
from django.utils import timezone

from accounts.permissions import require_role
from core.problems import Conflict, UserError
from scans.ingest.arrivals import INSTANCES
from scans.models import Deletion, Instance, Study, Volume
from scans.storage import content_name
from scans.sweeping import drop_unreferenced

if TYPE_CHECKING:
    from accounts.models import Person

logger = logging.getLogger(__name__)

CONFIRMATION_LENGTH = 8


def confirmation_of(study: Study) -> str:
    """What has to be typed: the end of the study instance UID, which tells nothing of the patient."""
    return study.study_instance_uid[-CONFIRMATION_LENGTH:]


@transaction.atomic
def mark_for_deletion(person: Person, study_id: UUID, typed: str, reason: str) -> Deletion:
    """Hide a study from everybody; it is deleted when the grace period is over.

    Raises
    ------
    Forbidden : the person is no administrator of the site.
    UserError : what was typed is not the confirmation, or no reason was given.
    Conflict : the report is signed, or the study is already marked.
    """
    study = Study.objects.select_for_update().get(pk=study_id)
    require_role(person, study.site_id, "administrator")
    if typed.strip() != confirmation_of(study):
        raise UserError(
            "not_confirmed", "What was typed is not the end of the study UID. Look again and type it."
        )
    if not reason.strip():
        raise UserError("reason_needed", "Say why the study is deleted.")
    if study.review == Study.Review.FINAL:
        raise Conflict("signed", "The report of this study is signed. A study with a signed report is kept.")
    if study.hidden_at is not None:
        raise Conflict("already_marked", "The study is already marked for deletion.")
    study.hidden_at = timezone.now()
    study.save(update_fields=["hidden_at"])
    return Deletion.objects.create(
        site_id=study.site_id,
        study=study,
        study_instance_uid=study.study_instance_uid,
        asked_by=person,
        reason=reason.strip()[:300],
        due_at=study.hidden_at + timedelta(days=settings.DELETION_GRACE_DAYS),
        instances=Instance.objects.filter(series__study=study).count(),
        size_bytes=study.series.aggregate(size=Sum("size_bytes"))["size"] or 0,
    )


@transaction.atomic
def undo_deletion(person: Person, deletion_id: UUID) -> Deletion:
    """Show the study again, as if nothing had been asked.

    Raises
    ------
    Forbidden : the person is no administrator of the site.
    Conflict : it is deleted, or undone already.
    """
    deletion = Deletion.objects.select_for_update(of=("self",)).get(pk=deletion_id)
    require_role(person, deletion.site_id, "administrator")
    if deletion.study_id is None or deletion.undone_at or deletion.done_at:
        raise Conflict("too_late", f"This cannot be undone any more: it is {deletion.state}.")
    study = Study.objects.get(pk=deletion.study_id)
    study.hidden_at = None
    study.save(update_fields=["hidden_at"])
    deletion.undone_at = timezone.now()
    deletion.save(update_fields=["undone_at"])
    return deletion


def delete_due() -> int:
    """Delete every study whose grace period is over; returns how many."""
    due = list(Deletion.objects.due(timezone.now()).values_list("pk", flat=True))
    return sum(_delete(pk) for pk in due)


def _delete(pk: UUID) -> int:
    """Rows in one transaction, then the bytes that no row names any more; may be killed and repeated."""
    with transaction.atomic():
        deletion = Deletion.objects.select_for_update(skip_locked=True).filter(pk=pk, done_at=None).first()
        if deletion is None or deletion.study_id is None:
            return 0
        study = Study.objects.select_for_update().get(pk=deletion.study_id)
        names = _files_of(study)
        with _history_may_go(study):
            study.delete()
        deletion.study, deletion.done_at = None, timezone.now()
        deletion.save(update_fields=["study", "done_at"])
    removed = drop_unreferenced(names)
    logger.info("deletion %s is done, %s files removed", pk, removed)
    return 1


def _files_of(study: Study) -> list[str]:
    hashes = Instance.objects.filter(series__study=study).values_list("sha256", flat=True)
    volumes = Volume.objects.filter(series__study=study).values_list("file", flat=True)
    return [*(content_name(INSTANCES, sha256) for sha256 in hashes), *volumes]


@contextmanager
def _history_may_go(study: Study) -> Iterator[None]:
    """Append-only rows of the study (readings, decisions, drafts) go with it; others stay guarded."""
    collector = Collector(using="default")
    collector.collect([study])
    models = {*collector.data, *(rows.model for rows in collector.fast_deletes)}
    guards = [
        f"{model._meta.label}:{trigger.name}"
        for model in models
        for trigger in getattr(model._meta, "triggers", ())
    ]
    if not guards:
        yield
        return
    with pgtrigger.ignore(*guards):
        yield
