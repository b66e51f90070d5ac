"""What the worklist shows of a reading."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Case, Value, When

from inference.cnn.scan_probability import Contribution, contributions
from inference.models import Finding, Reading
from scans.models import Study


def show_reading(study: Study, reading: Reading) -> None:
    """Copy the sums of a reading to its study, so that the worklist needs one table.

    A study to which images came meanwhile stays open: it will be read again as a whole.
    """
    findings = list(reading.findings.order_by("-malignancy", "number"))
    arriving = When(status=Study.Status.RECEIVED, then=Value(Study.Status.RECEIVED))
    Study.objects.filter(pk=study.pk).update(
        status=Case(arriving, default=Value(Study.Status.READY)),
        reason="",
        stage="",
        progress=1,
        scan_probability=reading.scan_probability,
        priority=reading.scan_probability,
        finding_count=len(findings),
        lead_finding=describe(findings[0]) if findings else "",
        warning_count=sum(check["level"] != "INFO" for check in reading.checks),
    )


def contributions_of(findings: Iterable[Finding]) -> list[Contribution]:
    """The findings that made the scan probability, the largest part first."""
    return contributions({one.number: (one.p_nodule, one.malignancy) for one in findings})


def describe(finding: Finding) -> str:
    """The finding in a few words: side, size, type."""
    side = finding.get_side_display().capitalize()
    return f"{side}, {finding.mean_diameter_mm:.1f} mm {finding.get_type_display()}"
