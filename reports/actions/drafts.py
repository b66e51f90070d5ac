"""The draft of a report: opened, saved, written anew. Every saved state stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import Person
from core.problems import Conflict, UserError
from reports.actions.guards import begin_review, lock_open_study, lock_report, require_radiologist
from reports.drafting import draft_texts
from reports.facts import facts_of
from reports.models import Report, ReportVersion
from scans.models import Study

EDITING_SHOWS = timedelta(minutes=2)
LONGEST_TEXT = 20_000


def open_draft(person: Person, study: Study) -> Report:
    """The draft of a study, made with text from the decisions where there is none yet.

    Marks who is at it, unless another person was there within the last two minutes: see `edited_by_other`.
    """
    require_radiologist(person, study.site_id)
    with transaction.atomic():
        study = lock_open_study(study.pk)
        report, made = Report.objects.get_or_create(study=study, defaults={"site_id": study.site_id})
        if made:
            _write(report, person, draft_texts(facts_of(study)))
            begin_review(study)
        report = lock_report(report)
        if edited_by_other(report, person) is None:
            _mark(report, person)
    return report


def edited_by_other(report: Report, person: Person) -> Person | None:
    """Who else has been at this draft within the last two minutes."""
    if report.editing_at is None or report.editing_by_id in (None, person.pk):
        return None
    return report.editing_by if timezone.now() - report.editing_at < EDITING_SHOWS else None


def save_draft(
    person: Person, report: Report, *, revision: int, texts: Mapping[str, str], checked: bool = True
) -> ReportVersion:
    """Save the text as a new version; sections that are not given stay as they were.

    `checked`: the person holds the text against the decisions as they stand now. A text that saved itself was
    not checked: it keeps the decisions it was last held against, so that a later change of them still shows.

    Raises
    ------
    Conflict : `revision` is not the newest one: somebody else saved in the meantime.
    """
    require_radiologist(person, report.site_id)
    _check_texts(texts)
    with transaction.atomic():
        study = lock_open_study(report.study_id)
        report = lock_report(report)
        before = require_revision(report, revision)
        version = _write(report, person, {**texts_of(before), **texts}, before, checked)
        _mark(report, person)
        begin_review(study)
    return version


def redraft(person: Person, report: Report) -> dict[str, str]:
    """Fresh text from the decisions as they stand now; nothing is saved."""
    require_radiologist(person, report.site_id)
    return draft_texts(facts_of(report.study))


def texts_of(version: ReportVersion) -> dict[str, str]:
    return {section: getattr(version, section) for section in ReportVersion.SECTIONS}


def require_revision(report: Report, revision: int) -> ReportVersion:
    """The newest version, which must be the one that the person looked at."""
    newest = report.versions.select_related("person").latest()
    if revision != newest.revision:
        raise Conflict(
            "edited_by_other",
            f"{newest.person} saved this report at {newest.created_at:%H:%M} UTC, after you opened it. "
            "Nothing was overwritten: look at that text, then take over what you need.",
        )
    return newest


def _write(
    report: Report,
    person: Person,
    texts: Mapping[str, str],
    before: ReportVersion | None = None,
    checked: bool = True,
) -> ReportVersion:
    """Append a version with the nodules and hashes as they stand now; an unchanged one is not repeated."""
    facts = facts_of(report.study)
    version = ReportVersion(
        site_id=report.site_id,
        report=report,
        revision=report.revision + 1,
        person=person,
        nodules=[nodule.record() for nodule in facts.nodules],
        software=dict(facts.software),
        **texts,
    )
    if before is not None and not checked:
        version.nodules, version.software = before.nodules, before.software
    if before is not None and _says_the_same(before, version):
        return before
    version.save()
    report.revision = version.revision
    report.save(update_fields=["revision"])
    return version


def _says_the_same(one: ReportVersion, other: ReportVersion) -> bool:
    same_facts = one.nodules == other.nodules and one.software == other.software
    return same_facts and texts_of(one) == texts_of(other)


def _mark(report: Report, person: Person) -> None:
    report.editing_by, report.editing_at = person, timezone.now()
    report.save(update_fields=["editing_by", "editing_at"])


def _check_texts(texts: Mapping[str, str]) -> None:
    unknown = sorted(set(texts) - set(ReportVersion.SECTIONS))
    if unknown:
        raise UserError("unknown_section", f"A report has no section {', '.join(unknown)}.")
    too_long = [name for name, text in texts.items() if len(text) > LONGEST_TEXT]
    if too_long:
        raise UserError("text_too_long", f"At most {LONGEST_TEXT} characters fit into {', '.join(too_long)}.")
    if any("\0" in text for text in texts.values()):
        raise UserError("invalid", "The text holds a character that cannot be stored.")
