"""What a report states beside its nodules: collected once from the tables, as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Exists, OuterRef

from inference.models import Reading
from patients.models import RiskProfile
from reports.nodules import Nodule, newest_reading, nodules_of, volume_shown
from scans.models import Instance, Series, Study, Volume

PRODUCT = "lungportal"
PRIORS_NAMED = 5


@dataclass(frozen=True)
class StudyFacts:
    """One study at one moment.

    Attributes
    ----------
    priors : days of the patient's earlier CT studies, newest first.
    software : what stands in `ReportVersion.software`, see `software_of`.
    """

    description: str
    indication: str
    risk: RiskProfile | None
    priors: list[date]
    modality: str
    slice_thickness_mm: float | None
    kernel: str
    contrast_agent: str
    kvp: float | None
    nodules: list[Nodule]
    software: Mapping[str, Any]


def facts_of(study: Study) -> StudyFacts:
    """Collect everything that drafts need; a constant number of queries."""
    nodules = nodules_of(study)
    reading = newest_reading(study)
    volume = reading.volume if reading else volume_shown(study)
    series = volume.series if volume else study.series.first()
    header = _header(series)
    return StudyFacts(
        description=study.description,
        indication=_text(header, "00401002") or _text(header, "00321030"),
        risk=RiskProfile.objects.filter(patient=study.patient_id).first(),
        priors=_priors(study),
        modality=series.modality if series else "",
        slice_thickness_mm=series.slice_thickness_mm if series else None,
        kernel=series.convolution_kernel if series else "",
        contrast_agent=_text(header, "00180010"),
        kvp=_number(_text(header, "00180060")),
        nodules=nodules,
        software=software_of(study, reading, series, volume, nodules),
    )


def software_of(
    study: Study, reading: Reading | None, series: Series | None, volume: Volume | None, nodules: list[Nodule]
) -> dict[str, Any]:
    """What the networks did, with every hash, and what became of their marks (CLINICAL 9.5)."""
    checks = (reading.checks if reading else None) or (volume.checks if volume else []) or []
    said: dict[str, Any] = {
        "product": PRODUCT,
        "read": reading is not None,
        "not_read_reason": "" if reading else study.reason,
        "series": {"number": series.series_number, "description": series.description} if series else None,
        "refusal": series.refusal if series else "",
        "checks": checks,
        "volume_digest": volume.digest if volume else "",
        "marks": marks_of(nodules),
    }
    return said | (_reading(reading) if reading else {})


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "reading": str(reading.pk),
        "read_at": reading.created_at.isoformat(),
        "pipeline": reading.pipeline.version,
        "pipeline_sha256": reading.pipeline.sha256,
        "code_version": reading.code_version,
        "networks": reading.networks,
        "volume_digest": reading.volume_digest,
        "scan_probability": reading.scan_probability,
        "confidence": reading.confidence,
    }


def marks_of(nodules: list[Nodule]) -> dict[str, int]:
    """How many marks the networks showed, and what the reader made of them."""
    shown = [nodule for nodule in nodules if nodule.finding is not None]
    counts = Counter(str(nodule.status) for nodule in shown)
    statuses = ("accepted", "rejected", "corrected", "undecided")
    added = sum(nodule.status == "added" for nodule in nodules)
    return {"shown": len(shown), **{status: counts[status] for status in statuses}, "added": added}


def _priors(study: Study) -> list[date]:
    earlier = Study.objects.others_of_the_patient(study).filter(started_at__isnull=False)
    earlier = earlier.filter(Exists(Series.objects.filter(study=OuterRef("pk"), modality="CT")))
    if study.started_at is not None:
        earlier = earlier.filter(started_at__lt=study.started_at)
    days = earlier.values_list("started_at", flat=True)[:PRIORS_NAMED]
    return [moment.date() for moment in days if moment is not None]


def _header(series: Series | None) -> Mapping[str, Any]:
    """DICOM JSON model of one image of the series (all share technique and order)."""
    if series is None:
        return {}
    header = Instance.objects.filter(series=series).values_list("header", flat=True).first() or {}
    model: Mapping[str, Any] = header.get("dicom_json", header)
    return model


def _text(header: Mapping[str, Any], tag: str) -> str:
    """First value of an element of a DICOM JSON model (PS3.18 F.2), as text."""
    element = header.get(tag)
    values = element.get("Value") if isinstance(element, Mapping) else None
    return str(values[0]).strip() if values and not isinstance(values[0], Mapping) else ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
