"""Studies, their findings and reports as lines of a patient's timeline."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse

from accounts.models import Person
from patients.models import Patient
from patients.timeline import Entry
from reports import presentation
from reports.models import Report
from scans.models import Study

MOST = 100


def studies(person: Person, patient: Patient) -> Iterator[Entry]:
    """Each study with its lead finding and how far it is."""
    found = Study.objects.visible_to(person).filter(patient=patient).order_by("-started_at")[:MOST]
    for study in found:
        chip = presentation.status_chip(study.status, study.review)
        yield Entry(
            moment=study.started_at or study.created_at,
            kind=chip.text,
            title=study.description or "CT",
            detail=_detail(study),
            url=reverse("study", args=[study.pk]),
            tone=chip.tone,
        )


def _detail(study: Study) -> str:
    if study.status != Study.Status.READY:
        return study.reason
    suspicion = f"suspicion {presentation.probability(study.scan_probability)}"
    return presentation.join(
        (study.lead_finding or "no finding", presentation.more_findings(study.finding_count), suspicion)
    )


def reports(person: Person, patient: Patient) -> Iterator[Entry]:
    """Each signed report."""
    found = Report.objects.visible_to(person).filter(study__patient=patient, state=Report.State.FINAL)
    for report in found.select_related("signed_by", "final_version").order_by("-signed_at")[:MOST]:
        impression = report.final_version.impression if report.final_version else ""
        yield Entry(
            moment=report.signed_at,
            kind="report",
            title=f"Report signed by {report.signed_by}",
            detail=impression[:300],
            url=reverse("report", args=[report.pk]),
        )
