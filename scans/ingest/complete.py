"""A study is complete: volumes are built and checked, the series to read is chosen, its reading asked for.

A study completes when it has been quiet for a while, or when somebody says so. Every step may be killed and
repeated: volumes are keyed by their digest, and the outcome is written only if no image came meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.permissions import require_role
from accounts.uploading import MAY_SEND
from core.outbox import promise
from scans.dicom import sop_classes
from scans.dicom.checks import choose_series
from scans.dicomweb.documents import document_of
from scans.models import Instance, Series, Study, Volume
from scans.series_volumes import Checked, check_series

if TYPE_CHECKING:
    from accounts.models import Person

logger = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=10)
"""After this a study that was handed to a worker and came to nothing is handed out again."""

AFTER_SIGNATURE = (
    "Images came after the report was signed: they are stored and not read. An addendum may be due."
)


def complete_quiet_studies() -> int:
    """Complete every study to which nothing was added for a while; returns how many."""
    now = timezone.now()
    quiet = Study.objects.quiet_since(now - timedelta(seconds=settings.QUIET_SECONDS))
    forgotten = Study.objects.filter(status=Study.Status.RECEIVED, completed_at__lt=now - PATIENCE)
    return sum(
        _hand_out(pk) for pk in [*quiet.values_list("pk", flat=True), *forgotten.values_list("pk", flat=True)]
    )


def tell_complete(person: Person, study: Study) -> None:
    """Somebody says that all images of a study have come: no need to wait.

    Raises
    ------
    Forbidden : the person's role may not send images at this site.
    """
    require_role(person, study.site_id, *MAY_SEND)
    if study.completed_at is None:
        _hand_out(study.pk)


@transaction.atomic
def _hand_out(pk: UUID) -> int:
    """Mark the study as complete and promise the work, once."""
    study = Study.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    recent = study and study.completed_at and study.completed_at > timezone.now() - PATIENCE
    if study is None or recent:
        return 0
    study.completed_at = timezone.now()
    study.save(update_fields=["completed_at"])
    promise("scans.tasks.complete_study", study_id=study.pk)
    return 1


def complete_study(study: Study) -> None:
    """Build and check the series of a study, choose the one to read, and ask for its reading."""
    if study.status != Study.Status.RECEIVED:
        return  # the message came twice: what became of the study since then stands
    seen = study.last_instance_at
    for series in study.series.filter(instance_count__gt=0).select_related("study"):
        document_of(series)  # a viewer asks for it first
    checked = [check_series(*pair) for pair in _with_images(study)]
    chosen, sentence = choose_series([one.candidate for one in checked])
    best = next((one for one in checked if one.candidate is chosen), None)
    with transaction.atomic():
        current = Study.objects.select_for_update().get(pk=study.pk)
        if current.last_instance_at != seen:
            logger.info("study %s grew while it was completed; it will be completed again", study.pk)
            return
        if current.review == Study.Review.FINAL:
            _came_too_late(current)
            return
        current.series_choice = sentence[:500]
        if best is not None and best.volume is not None:
            _ask_for_reading(current, best.series, best.volume)
        else:
            _not_read(current, checked)


def _with_images(study: Study) -> Iterator[tuple[Series, list[Instance]]]:
    """Each series that holds images, in slice order: reports and segmentations are not looked at."""
    for series in study.series.filter(instance_count__gt=0):
        instances = list(series.instances.in_slice_order())
        if not all(sop_classes.is_document(one.sop_class_uid) for one in instances):
            yield series, instances


def _ask_for_reading(study: Study, series: Series, volume: Volume) -> None:
    study.read_series = series
    study.warning_count = sum(check["level"] == "WARN" for check in series.checks)
    study.status, study.reason, study.stage, study.progress = Study.Status.WAITING, "", "", 0
    study.save()
    promise("inference.tasks.plan_reading", study_id=study.pk, volume_id=volume.pk)


def _came_too_late(study: Study) -> None:
    """The signed report stands on what was read before; that there is more must be seen."""
    study.status, study.reason, study.stage, study.progress = Study.Status.NOT_READ, AFTER_SIGNATURE, "", 0
    study.save(update_fields=["status", "reason", "stage", "progress"])


def _not_read(study: Study, checked: Sequence[Checked]) -> None:
    alone = checked[0].series if len(checked) == 1 else None
    study.read_series = alone
    study.status = Study.Status.NOT_READ
    study.reason = alone.refusal if alone else study.series_choice
    study.warning_count, study.stage, study.progress = 0, "", 0
    study.save()
