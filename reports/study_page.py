"""What the study page shows: collected once, at a constant number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.urls import reverse

from accounts.models import Person
from inference import jobs
from inference.models import Job, Reading
from inference.summary import contributions_of
from reports import presentation
from reports.actions import edited_by_other
from reports.drafting import refusal_line, software_statement
from reports.forms import LOBES, ReportForm
from reports.models import Decision, Report, ReportVersion
from reports.nodules import Nodule, newest_reading, nodules_of, volume_shown
from scans.dicom.geometry import Geometry
from scans.models import Series, Study, Volume

SENDERS = ("administrator", "radiologist", "technician")


def rights_of(person: Person, study: Study) -> dict[str, bool]:
    """What this person may do with this study; the actions ask again."""
    decides = person.has_role(study.site_id, "radiologist")
    return {
        "may_decide": decides and study.review != Study.Review.FINAL,
        "may_report": decides,
        "may_send": person.has_role(study.site_id, *SENDERS),
    }


def machine_part(person: Person, study: Study) -> dict[str, Any]:
    """How far the machine is, what it said of the scan, and why not, where it did not read."""
    reading = newest_reading(study)
    job = Job.objects.visible_to(person).filter(study=study).order_by("-id").first()
    series = list(study.series.all())
    calibration = _calibration(reading)
    return {
        "study": study,
        "reading": reading,
        "job": job,
        "line": _line(study, job),
        "percent": presentation.percent(study.progress),
        "is_open": presentation.is_open(study.status),
        "may_retry": job is not None and job.state in (Job.State.FAILED, Job.State.CANCELLED),
        "sign": presentation.suspicion(reading.scan_probability if reading else None),
        "has_sensitivity": reading is not None and reading.findings.exclude(sensitivity="").exists(),
        "contributions": contributions_of(reading.findings.defer("mask_bits")) if reading else [],
        "meaning": presentation.meaning_of_scan(reading.scan_probability, calibration) if reading else "",
        "refusal_line": _refusal_line(reading),
        "series_list": [(one, presentation.checks_of(one.checks)) for one in series],
        "checks": presentation.checks_of(_checks(study, reading)),
        **rights_of(person, study),
    }


def _line(study: Study, job: Job | None) -> str:
    if not presentation.is_open(study.status):
        return study.reason
    if job is None or job.state not in Job.OPEN:
        return presentation.progress_line(study.status, study.stage, study.progress, None, None)
    ahead = jobs.queue_position(job)
    seconds = jobs.expected_seconds(job)
    return presentation.progress_line(study.status, study.stage, study.progress, ahead, seconds)


def _checks(study: Study, reading: Reading | None) -> list[Mapping[str, Any]]:
    if reading is not None:
        return list(reading.checks)
    return list(study.read_series.checks) if study.read_series else []


def _refusal_line(reading: Reading | None) -> str:
    if reading is None:
        return ""
    return refusal_line({"refusal": reading.volume.series.refusal, "read": True})


def _calibration(reading: Reading | None) -> Sequence[Mapping[str, Any]]:
    """Held-out bins of the scan probability, where a network of the pipeline brings them."""
    if reading is None:
        return ()
    for metrics in reading.pipeline.networks.values_list("metrics", flat=True):
        if isinstance(metrics, dict) and metrics.get("scan_calibration"):
            found: Sequence[Mapping[str, Any]] = metrics["scan_calibration"]
            return found
    return ()


def findings_part(person: Person, study: Study) -> dict[str, Any]:
    """The findings with what was decided, and the forms to decide."""
    nodules = nodules_of(study)
    return {
        "study": study,
        "nodules": nodules,
        "undecided": sum(nodule.is_undecided for nodule in nodules),
        "reasons": Decision.Reason.choices,
        "types": Decision._meta.get_field("type").choices,
        "lobes": LOBES,
        **rights_of(person, study),
    }


def report_part(
    person: Person, study: Study, form: ReportForm | None = None, nodules: list[Nodule] | None = None
) -> dict[str, Any]:
    """The report panel in each of its states: none yet, draft, final."""
    report = (
        Report.objects.visible_to(person)
        .filter(study=study)
        .select_related("signed_by", "editing_by", "final_version")
        .first()
    )
    context: dict[str, Any] = {"study": study, "report": report, **rights_of(person, study)}
    if report is None:
        return context
    version = report.final_version or report.versions.select_related("person").latest()
    return {
        **context,
        "version": version,
        "sections": [(name.capitalize(), getattr(version, name)) for name in ReportVersion.SECTIONS],
        "software": software_statement(version.software) if version.software else [],
        "form": form or ReportForm(initial=initial_of(version)),
        "other": edited_by_other(report, person),
        "stale": report.state != Report.State.FINAL and is_stale(version, nodules or nodules_of(study)),
        "addenda": report.addenda.select_related("person") if report.state == Report.State.FINAL else [],
    }


def initial_of(version: ReportVersion) -> dict[str, Any]:
    return {name: getattr(version, name) for name in ("revision", *ReportVersion.SECTIONS)}


def is_stale(version: ReportVersion, nodules: list[Nodule]) -> bool:
    """Whether decisions have changed since this text was saved."""
    now, saved = [nodule.record() for nodule in nodules], version.nodules
    if len(now) != len(saved):
        return True
    return any(one[name] != value for one, old in zip(now, saved, strict=True) for name, value in old.items())


def viewer_part(study: Study, nodules: list[Nodule], asked: UUID | None) -> dict[str, Any] | None:
    """What the slice browser needs to know about the series that it shows; None without images."""
    series = _series_shown(study, asked)
    if series is None or not series.instance_count:
        return None
    home = _volume_of_findings(study)
    volume = (
        home if home is not None and home.series_id == series.pk else series.volumes.order_by("-id").first()
    )
    at_home = volume is not None and volume == home
    return {
        "series": str(series.pk),
        "slices": reverse("slice", args=[series.pk, 0]).removesuffix("0/"),
        "volume": volume.digest[:16] if volume else "",
        "count": volume.shape[0] if volume else series.instance_count,
        "thickness_mm": series.slice_thickness_mm,
        "title": f"Series {series.series_number if series.series_number is not None else '–'}",
        "description": series.description,
        "modality": series.modality,
        "may_mark": at_home,
        "findings": _places(nodules, volume) if at_home else [],
        **(_placement(volume) if volume else {}),
    }


def _series_shown(study: Study, asked: UUID | None) -> Series | None:
    """The series that was asked for, else the one that was read, else the largest CT."""
    known = {series.pk: series for series in study.series.all()}
    wanted = asked if asked in known else study.read_series_id
    if wanted in known:
        return known[wanted]
    images = [series for series in known.values() if series.instance_count]
    return max(images, key=lambda one: (one.modality == "CT", one.instance_count), default=None)


def _volume_of_findings(study: Study) -> Volume | None:
    """The volume whose slices findings and decisions name; on another series these numbers mean nothing."""
    reading = newest_reading(study)
    return reading.volume if reading is not None else volume_shown(study)


def _placement(volume: Volume) -> dict[str, Any]:
    geometry = geometry_of(volume)
    return {
        "shape": volume.shape,
        "spacing_mm": volume.spacing_mm,
        "affine": geometry.affine.tolist(),
    }


def geometry_of(volume: Volume) -> Geometry:
    """The placement of a stored volume."""
    d = volume.direction
    return Geometry(
        (volume.shape[0], volume.shape[1], volume.shape[2]),
        (volume.spacing_mm[0], volume.spacing_mm[1], volume.spacing_mm[2]),
        (volume.origin_mm[0], volume.origin_mm[1], volume.origin_mm[2]),
        ((d[0], d[1], d[2]), (d[3], d[4], d[5]), (d[6], d[7], d[8])),
    )


def _places(nodules: list[Nodule], volume: Volume | None) -> list[dict[str, Any]]:
    """Where each nodule lies in the volume: slice, column and row, and its radius in mm."""
    if volume is None:
        return []
    geometry = geometry_of(volume)
    placed = []
    for nodule in nodules:
        if nodule.center_mm is None or nodule.slice_index is None:
            continue
        _, row, column = geometry.to_index(nodule.center_mm).tolist()
        placed.append(
            {
                "number": nodule.number,
                "finding": str(nodule.finding.pk) if nodule.finding else None,
                "status": nodule.status,
                "slice": nodule.slice_index,
                "column": round(column, 2),
                "row": round(row, 2),
                "radius_mm": (nodule.mean_diameter_mm or 0) / 2,
            }
        )
    return placed
