"""Signing: the report becomes final, and nothing about it changes after that."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.models import Person
from core.problems import Conflict, UserError
from reports.actions.drafts import require_revision
from reports.actions.guards import check_password, lock_open_study, lock_report, require_radiologist
from reports.models import Report, ReportVersion
from reports.nodules import newest_reading, nodules_of
from reports.wanted import want
from scans.models import Study

REQUIRED = ("comparison", "impression")
STILL_READING = (Study.Status.RECEIVED, Study.Status.WAITING, Study.Status.READING)


def sign(person: Person, report: Report, *, revision: int, password: str) -> Report:
    """Sign the newest version of a draft; its results are then made as DICOM, see `reports.results`.

    Raises
    ------
    UserError : wrong password, a finding without a decision, an empty comparison or impression.
    Conflict : a newer revision or newer decisions exist, the networks are still reading, or it is final.
    """
    require_radiologist(person, report.site_id)
    check_password(person, password, report)
    with transaction.atomic():
        study = lock_open_study(report.study_id)
        report = lock_report(report)
        version = require_revision(report, revision)
        _require_read(study)
        _require_whole(study, version)
        _make_final(report, version, person)
        study.review = Study.Review.FINAL
        study.save(update_fields=["review"])
        want(study)
    report.study = study
    return report


def _require_read(study: Study) -> None:
    if study.status in STILL_READING:
        raise Conflict(
            "still_reading",
            "The networks have not finished with this study; wait for them, or cancel the job.",
        )


def _require_whole(study: Study, version: ReportVersion) -> None:
    nodules = nodules_of(study)
    open_numbers = [str(nodule.number) for nodule in nodules if nodule.is_undecided]
    if open_numbers:
        noun = "Finding" if len(open_numbers) == 1 else "Findings"
        raise UserError(
            "undecided_findings",
            f"{noun} {', '.join(open_numbers)}: accept, correct or reject before signing.",
        )
    empty = [section for section in REQUIRED if not getattr(version, section).strip()]
    if empty:
        raise UserError("sections_empty", f"Fill in {' and '.join(empty)} before signing.")
    reading = newest_reading(study)
    if version.software.get("reading") != (str(reading.pk) if reading else None):
        raise Conflict(
            "reading_replaced",
            "The study was read again after this text was saved. Check the text, save, and sign.",
        )
    if [nodule.record() for nodule in nodules] != version.nodules:
        raise Conflict(
            "decisions_changed",
            "Decisions changed after this text was saved. Check the text against them, save, and sign.",
        )


def _make_final(report: Report, version: ReportVersion, person: Person) -> None:
    report.state = Report.State.FINAL
    report.signed_at = timezone.now()
    report.signed_by = person
    report.final_version = version
    report.editing_by = report.editing_at = None
    report.save()
