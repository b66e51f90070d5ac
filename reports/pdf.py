"""A report as PDF: typeset by Typst from plain data, archivable (PDF/A-2b)."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import typst
from django.core.files.storage import default_storage

from inference.marks import picture_of_mark
from inference.models import Finding
from patients.models import Patient
from reports.drafting import day, percent, refusal_line, software_statement, tenths
from reports.models import Report, ReportVersion
from scans.models import Volume

TEMPLATE = Path(__file__).parent / "typst" / "report.typ"
PNG = b"\x89PNG\r\n\x1a\n"
Standard = Literal["a-2b"]
ARCHIVABLE: Standard = "a-2b"
SHOWN = ("accepted", "corrected", "added")
SCORE_LABEL = "Suspicion score of the networks, trained on radiologists' ratings, not on pathology."
INTENDED_USE = (
    "Research software. Not a medical device, not cleared or certified for diagnostic use. Computer marks, "
    "measurements, scores and guideline suggestions may be wrong or incomplete; absence of a mark does not "
    "exclude disease. All images must be read in full by a qualified physician, who alone decides on "
    "diagnosis, category and management and signs the report. Do not use for decisions about patient care "
    "outside an approved study."
)


def render_pdf(report: Report) -> bytes:
    """The signed version of a final report, else the newest one with a watermark.

    PDF/A wants a glyph for every character. Where the installed fonts lack one, the ideographic and phonetic
    groups of names are left out first, and at last the archive standard is given up, but never the document.
    """
    version = report.final_version or report.versions.select_related("person").latest()
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        pictures = _store_pictures(version, Path(folder))
        shutil.copy(TEMPLATE, folder)
        main = Path(folder, TEMPLATE.name)
        for whole_names in (True, False):
            data = report_data(report, version, pictures, whole_names=whole_names)
            Path(folder, "data.json").write_text(json.dumps(data))
            with suppress(typst.TypstError):
                return _compile(main, ARCHIVABLE, version.created_at)
        return _compile(main, None, version.created_at)


def _compile(main: Path, standard: Standard | None, moment: datetime) -> bytes:
    pdf = typst.compile(
        main,
        root=main.parent,
        font_paths=_fonts(),
        pdf_standards=standard,
        timestamp=int(moment.timestamp()),
    )
    return bytes(pdf)


@cache
def _fonts() -> typst.Fonts:
    """Typst's own fonts and those of the system, searched once per process."""
    return typst.Fonts()


def _store_pictures(version: ReportVersion, folder: Path) -> dict[int, str]:
    """Put the key images beside the template; file name by number of the nodule."""
    stored: dict[int, str] = {}
    for nodule in _shown(version):
        content = _picture(version, nodule)
        if content is not None and content.startswith(PNG):
            stored[nodule["number"]] = f"nodule-{nodule['number']}.png"
            (folder / stored[nodule["number"]]).write_bytes(content)
    return stored


def _picture(version: ReportVersion, nodule: Mapping[str, Any]) -> bytes | None:
    """The networks' key image; of a nodule that a person added, the place that they marked."""
    name = nodule["key_image"]
    if name:
        if not default_storage.exists(name):
            return None
        with default_storage.open(name) as file:
            return bytes(file.read())
    place, size = nodule["center_mm"], nodule["long_axis_mm"]
    if place is None or nodule["slice_index"] is None or size is None:
        return None
    digest = version.software.get("volume_digest", "")
    volume = Volume.objects.filter(series__study__report=version.report_id, digest=digest).first()
    return picture_of_mark(volume, nodule["slice_index"], place, size) if volume else None


def _shown(version: ReportVersion) -> list[dict[str, Any]]:
    return [nodule for nodule in version.nodules if nodule["status"] in SHOWN]


def report_data(
    report: Report, version: ReportVersion, pictures: Mapping[int, str], *, whole_names: bool
) -> dict[str, Any]:
    """Everything that the template prints, as text."""
    study = report.study
    final = report.state == Report.State.FINAL
    signer, moment = (report.signed_by, report.signed_at) if final else (version.person, version.created_at)
    return {
        "title": f"Report on {study.description or 'a study'}",
        "author": str(signer),
        "id": str(report.pk),
        "site": study.site.name,
        "kind": "Radiology report" if final else "Draft of a radiology report",
        "final": final,
        "watermark": "DRAFT – not signed",
        "state_line": f"Signed {_moment(moment)}" if final else "Not signed",
        "intended_use": INTENDED_USE,
        "score_label": SCORE_LABEL,
        "patient": _patient(study.patient, whole_names=whole_names),
        "study": {
            "description": study.description or "–",
            "date": day(study.started_at) if study.started_at else "–",
            "accession": study.accession_number or "–",
            "referrer": _name(study.referring_physician_name, whole=whole_names) or "–",
        },
        "refusal": refusal_line(version.software),
        "sections": list(_sections(version)),
        "volume_note": " ".join(dict.fromkeys(one.get("volume_note", "") for one in _shown(version))).strip(),
        "nodules": [_nodule(nodule, pictures) for nodule in _shown(version)],
        "software": {
            "statement": "\n".join(software_statement(version.software)),
            "hashes": list(_hashes(version.software)),
        },
        "signature": {"name": str(signer), "time": _moment(moment), "revision": str(version.revision)},
        "addenda": [
            {"text": addendum.text, "name": str(addendum.person), "time": _moment(addendum.created_at)}
            for addendum in report.addenda.select_related("person")
        ],
    }


def _patient(patient: Patient, *, whole_names: bool) -> dict[str, str]:
    return {
        "name": _name(patient.name, whole=whole_names) or "Name unknown",
        "number": patient.medical_record_number,
        "issuer": patient.issuer,
        "born": day(patient.birth_date) if patient.birth_date else "–",
        "sex": str(patient.get_sex_display()),
    }


def _name(name: str, *, whole: bool) -> str:
    """A DICOM person name for people, with its ideographic group or without."""
    if not name:
        return ""
    return Patient(name=name if whole else name.partition("=")[0]).display_name


def _sections(version: ReportVersion) -> Iterator[dict[str, Any]]:
    for section in ReportVersion.SECTIONS:
        text = getattr(version, section).strip()
        if text:
            yield {"title": section.capitalize(), "text": text, "strong": section == "impression"}


def _nodule(nodule: Mapping[str, Any], pictures: Mapping[int, str]) -> dict[str, str]:
    long, short, mean = nodule["long_axis_mm"], nodule["short_axis_mm"], nodule["mean_diameter_mm"]
    volume, score = nodule["volume_mm3"], nodule["malignancy"]
    numbers = (nodule["series_number"], nodule["image_number"])
    return {
        "number": str(nodule["number"]),
        "location": nodule["location"],
        "type": str(Finding.Type(nodule["type"]).label) if nodule["type"] else "–",
        "axes": f"{tenths(long)} x {tenths(short)}" if mean is not None else "–",
        "mean": tenths(mean) if mean is not None else "–",
        "volume": f"{volume:.0f}" if volume is not None else "–",
        "image": " / ".join("–" if number is None else str(number) for number in numbers),
        "status": nodule["status"],
        "score": percent(score) if score is not None else "–",
        "picture": pictures.get(nodule["number"], ""),
    }


def _hashes(software: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Name and value of all that identifies what was computed from what."""
    if not software.get("read"):
        return
    yield {"name": "Pipeline", "value": software["pipeline_sha256"]}
    for task, sha256 in sorted(software["networks"].items()):
        yield {"name": f"Network: {task}", "value": sha256}
    yield {"name": "Volume", "value": software["volume_digest"]}
    yield {"name": "Code version", "value": software["code_version"]}
    yield {"name": "Reading", "value": software["reading"]}


def _moment(moment: datetime | None) -> str:
    return f"{day(moment)} {moment:%H:%M} UTC" if moment else "–"
