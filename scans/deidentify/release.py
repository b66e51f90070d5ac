"""Studies released for research: the copy without identity is a study, all that researchers see."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from accounts.permissions import require_role
from core.outbox import promise
from core.problems import Conflict
from scans.deidentify.export import copies_without_identity, selection_for
from scans.dicom.deidentify.options import Options
from scans.ingest.arrivals import Arrival, Refusal, arrive
from scans.ingest.receive import Outcome, file_own
from scans.models import Release, Study
from scans.storage import spool

if TYPE_CHECKING:
    from accounts.models import Person

MAY_RELEASE = ("administrator",)
REASON = "A copy without identity, for research: it is not read."


class NotReleasedError(Exception):
    """A file of a copy was not stored; says why without naming anybody."""


def release(person: Person, study: Study, options: Options) -> Release:
    """Release a study for research; its copy is made behind the scenes.

    Raises
    ------
    Forbidden : the person does not administrate the site.
    Conflict : it is a copy itself, is still arriving, or was released before.
    """
    require_role(person, study.site_id, *MAY_RELEASE)
    if study.deidentified:
        raise Conflict("is_a_copy", "This is a copy for research already.")
    if study.completed_at is None:
        raise Conflict("still_arriving", "The study is still arriving; release it once it is complete.")
    with transaction.atomic():
        row, new = Release.objects.get_or_create(
            study=study, defaults={"site_id": study.site_id, "person": person, "options": asdict(options)}
        )
        if not new:
            raise Conflict("released_before", "This study was released for research before.")
        promise("scans.tasks.make_research_copy", release_id=row.pk)
    return row


def make_copy(row: Release) -> Study | None:
    """Make the copy of a release, once; None where nothing of the study may leave without identity.

    Raises
    ------
    NotReleasedError : a file could not be stored; nothing of the copy is there then.
    """
    if row.copy_id is not None:
        return row.copy
    selection = selection_for(row.study, keep_captures=False)
    copies = copies_without_identity(row.study, selection.instances, Options(**row.options))
    arrivals = [_arrived(content) for _, content in copies]
    with transaction.atomic():
        row.copy = _filed(row, arrivals) if arrivals else None
        row.warnings = selection.warnings
        row.save(update_fields=["copy", "warnings"])
    return row.copy


def _arrived(content: bytes) -> Arrival | Refusal:
    with spool([content]) as spooled:
        return arrive(spooled)


def _filed(row: Release, arrivals: list[Arrival | Refusal]) -> Study:
    """File the copies and mark their study, in one transaction: it never looks like any other."""
    receipts = file_own(row.site, arrivals)
    failed = [one.code for one in receipts if one.outcome not in (Outcome.STORED, Outcome.DUPLICATE)]
    copy = receipts[0].study
    if failed or copy is None:
        raise NotReleasedError(f"copy of study {row.study_id}: {', '.join(sorted(set(failed)))}")
    Study.objects.filter(pk=copy.pk).update(
        deidentified=True,
        completed_at=timezone.now(),
        status=Study.Status.NOT_READ,
        reason=REASON,
    )
    copy.refresh_from_db()
    return copy
