"""The results of a study as DICOM objects of that study: outlines, structured report, signed document.

A signed report gives all three; before that outlines and measurements can be had as an unverified report.
Every UID follows from what is stated, so that making the results twice makes the same objects once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from pydicom import Dataset

from accounts.models import Person
from accounts.permissions import require_role
from core.problems import UserError
from core.version import CODE_VERSION
from inference.models import Finding, Reading
from inference.results import mask_of
from reports import wanted
from reports.models import Decision, Report, WantedResults
from reports.nodules import newest_reading, nodules_of, volume_shown
from reports.pdf import render_pdf
from reports.study_page import geometry_of
from scans.dicom import sop_classes
from scans.dicom.objects.identity import MANUFACTURER, Placing, derived_uid, image_header, to_bytes
from scans.dicom.objects.nodules import Outline, ReportedNodule, Software
from scans.dicom.part10 import open_part10
from scans.dimse.sending import send_results
from scans.ingest.arrivals import arrive
from scans.ingest.receive import Outcome, file_own
from scans.models import Instance, Study, Volume
from scans.storage import spool
from scans.volumes import open_instance

MAY_MAKE = ("radiologist", "administrator")
SEGMENTATION, MEASUREMENTS, DOCUMENT = "segmentation", "measurements", "document"
SERIES_NUMBERS = {SEGMENTATION: 9001, MEASUREMENTS: 9002, DOCUMENT: 9003}
DESCRIPTIONS = {
    SEGMENTATION: "Nodule outlines",
    MEASUREMENTS: "Nodule measurements",
    DOCUMENT: "Radiology report",
}
SHOWN = ("accepted", "corrected", "added", "undecided")


UNEXPECTED = "An unexpected error: the log of the ingest worker has it. It is tried again."


class NotFiledError(Exception):
    """An object of our own was not stored; says why without naming anybody."""


@dataclass(frozen=True)
class Subject:
    """What the results of a study are about, at one moment.

    Attributes
    ----------
    key : follows what is stated; a UID of each object is derived from it.
    records : nodules as `Nodule.record` gives them, those that were rejected left out.
    report : the signed one; None where the results are unverified.
    """

    study: Study
    reading: Reading | None
    volume: Volume | None
    records: list[dict[str, Any]]
    report: Report | None
    key: str
    moment: datetime

    def placing(self, kind: str, *more: object) -> Placing:
        """UIDs and place of one object of the study."""
        parts = (kind, self.study.site_id, self.study.study_instance_uid, self.key, *more)
        return Placing(
            sop_instance_uid=derived_uid("result", *parts),
            series_instance_uid=derived_uid("result series", *parts),
            series_number=SERIES_NUMBERS[kind],
            series_description=DESCRIPTIONS[kind],
            moment=timezone.localtime(self.moment).replace(tzinfo=None),
            software_version=CODE_VERSION,
        )


def ask_for_results(person: Person, study: Study) -> None:
    """Promise the results of a study; the web never waits for them.

    Raises
    ------
    Forbidden : the person is neither radiologist nor administrator of the site.
    UserError : there is neither a reading nor a report.
    """
    require_role(person, study.site_id, *MAY_MAKE)
    if newest_reading(study) is None and signed_report(study) is None:
        raise UserError("nothing_to_state", "There is neither a reading nor a signed report of this study.")
    with transaction.atomic():
        wanted.want(study)


def results_of(study: Study) -> QuerySet[Instance]:
    """The objects that the portal made of a study, in order of their making."""
    return our_results(Instance.objects.filter(series__study=study)).order_by("id")


def our_results(instances: QuerySet[Instance]) -> QuerySet[Instance]:
    """Of these instances the objects that the portal made; an imported study may hold the same numbers."""
    ours = instances.filter(series__series_number__in=SERIES_NUMBERS.values())
    return ours.filter(header__manufacturer=MANUFACTURER).select_related("series")


def make_results(study: Study) -> list[Instance]:
    """The results of a study as it stands, as stored instances; what is not stored yet is made.

    Raises
    ------
    NotFiledError : an object was refused or went to quarantine.
    """
    subject = subject_of(study)
    source = _any_image(subject)
    if source is not None:
        for made in _objects(subject, source):
            _file(subject.study, made)
    placings = [_placing_of(subject, kind) for kind in SERIES_NUMBERS]
    uids = [placing.sop_instance_uid for placing in placings]
    stored = Instance.objects.filter(site=study.site_id, sop_instance_uid__in=uids)
    return list(stored.select_related("series").order_by("series__series_number"))


def make_and_send(study: Study) -> None:
    """Make the results; those of a signed report go to the registered systems of the site.

    Sending is asked for each time: an object that was promised to a system is not promised again.
    """
    made = make_results(study)
    if made and signed_report(study) is not None:
        send_results(study, made)


def make_wanted(study: Study) -> None:
    """Make results that were asked for; a failure is noted, and then raised for the log."""
    asked = WantedResults.objects.filter(study=study).first()
    try:
        make_and_send(study)
    except Exception as error:
        if asked is not None:
            wanted.failed(asked, str(error) if isinstance(error, UserError | NotFiledError) else UNEXPECTED)
        raise
    if asked is not None:
        wanted.made(asked)


def subject_of(study: Study) -> Subject:
    """The signed report with the nodules that were signed, else what is said and decided by now."""
    report = signed_report(study)
    if report is not None and report.final_version is not None and report.signed_at is not None:
        version = report.final_version
        reading = Reading.objects.filter(pk=version.software.get("reading")).first()
        key = f"{report.pk}/{version.revision}"
        return _subject(study, reading, version.nodules, report, key, report.signed_at)
    reading = newest_reading(study)
    records = [nodule.record() for nodule in nodules_of(study)]
    said = hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()
    newest = Decision.objects.filter(study=study).in_order().last()
    moment = newest.created_at if newest else reading.created_at if reading else study.created_at
    return _subject(study, reading, records, None, f"{reading.pk if reading else ''}/{said}", moment)


def signed_report(study: Study) -> Report | None:
    """The final report of a study."""
    final = Report.objects.filter(study=study, state=Report.State.FINAL)
    return final.select_related("final_version", "signed_by", "study__patient", "study__site").first()


def _subject(
    study: Study,
    reading: Reading | None,
    records: list[dict[str, Any]],
    report: Report | None,
    key: str,
    moment: datetime,
) -> Subject:
    kept = [record for record in records if record["status"] in SHOWN]
    return Subject(
        study, reading, reading.volume if reading else volume_shown(study), kept, report, key, moment
    )


def _objects(subject: Subject, source: Dataset) -> Iterator[Dataset]:
    """Every object that is not stored yet. The libraries are loaded here: the web never needs them."""
    from scans.dicom.objects.document import write_document  # noqa: PLC0415
    from scans.dicom.objects.measurements import write_measurements  # noqa: PLC0415

    outlines, measurements, document = (_placing_of(subject, kind) for kind in SERIES_NUMBERS)
    if _is_missing(subject.study, measurements):
        stated = _stated(subject, source, outlines)
        if stated.segmentation is not None:
            yield stated.segmentation
        if not stated.is_empty:
            yield write_measurements(stated, measurements)
    if subject.report is not None and _is_missing(subject.study, document):
        yield write_document(render_pdf(subject.report), source, DESCRIPTIONS[DOCUMENT], document)


def _placing_of(subject: Subject, kind: str) -> Placing:
    """A document follows the addenda too: each one makes a new document."""
    if kind == DOCUMENT and subject.report is not None:
        return subject.placing(kind, subject.report.addenda.count())
    return subject.placing(kind)


def _stated(subject: Subject, source: Dataset, placing: Placing) -> Any:
    from scans.dicom.objects.measurements import Signature, Stated  # noqa: PLC0415
    from scans.dicom.objects.segmentation import touched_slices, write_segmentation  # noqa: PLC0415

    nodules = reported_nodules(subject)
    outlined = [one for one in nodules if one.outline is not None]
    slices = touched_slices([one.outline for one in outlined if one.outline is not None])
    marked = {one.slice_index for one in nodules if one.slice_index is not None}
    sources = _image_headers(subject.volume, sorted({*slices, *marked})) if subject.volume else {}
    software, segmentation = _software(subject.reading), None
    if outlined and subject.volume is not None and software is not None:
        geometry = geometry_of(subject.volume)
        segmentation = write_segmentation(outlined, sources, geometry, software, placing)
    report = subject.report
    return Stated(
        nodules=nodules,
        sources=sources or {0: source},
        segmentation=segmentation,
        software=software,
        scan_probability=subject.reading.scan_probability if subject.reading else None,
        signature=Signature(_person_name(str(report.signed_by)), report.site.name[:64]) if report else None,
    )


def reported_nodules(subject: Subject) -> list[ReportedNodule]:
    """The nodules of the subject; an outline stands where nobody corrected size or place of a finding."""
    keys = [record["finding"] for record in subject.records if record["finding"]]
    findings = {str(one.pk): one for one in Finding.objects.filter(pk__in=keys)}
    return [_reported(record, findings.get(record["finding"] or "")) for record in subject.records]


def _reported(record: dict[str, Any], finding: Finding | None) -> ReportedNodule:
    tracked = record["finding"] or record["added"]
    center = record["center_mm"]
    taken = ("number", "status", "type", "location", "slice_index", "long_axis_mm", "short_axis_mm",
             "mean_diameter_mm", "volume_mm3", "p_nodule", "malignancy", "malignancy_low",
             "malignancy_high")  # fmt: skip
    return ReportedNodule(
        tracking_uid=derived_uid("nodule", tracked),
        side=finding.side if finding else "",
        center_mm=(center[0], center[1], center[2]) if center else None,
        outline=_outline(finding) if finding is not None and _is_as_found(record, finding) else None,
        **{name: record[name] for name in taken},
    )


def _is_as_found(record: dict[str, Any], finding: Finding) -> bool:
    """Whether size and place are still those of the networks' outline."""
    same = ("long_axis_mm", "short_axis_mm", "slice_index", "center_mm")
    return all(record[name] == getattr(finding, name) for name in same)


def _outline(finding: Finding) -> Outline | None:
    mask = mask_of(finding)
    z, y, x = finding.mask_start
    return Outline(mask, (z, y, x)) if mask.any() else None


def _software(reading: Reading | None) -> Software | None:
    if reading is None:
        return None
    pipeline = reading.pipeline
    return Software(pipeline.version, pipeline.sha256, reading.code_version, reading.networks)


def _person_name(name: str) -> str:
    """A name as DICOM writes it: the last word is taken for the family name (PS3.5 section 6.2)."""
    plain = name.translate(str.maketrans("^=\\", "   ")).strip()[:60]
    given, _, family = plain.rpartition(" ")
    return f"{family}^{given}"


def _any_image(subject: Subject) -> Dataset | None:
    """Header of an image of the study, of the series that was read where there is one."""
    images = Instance.objects.filter(series__study=subject.study)
    if subject.volume is not None:
        images = images.filter(series=subject.volume.series_id)
    first = next(
        (one for one in images.in_slice_order() if not sop_classes.is_document(one.sop_class_uid)), None
    )
    return _header(first) if first is not None else None


def _image_headers(volume: Volume, slices: list[int]) -> dict[int, Dataset]:
    """Headers of the images behind these slices of a volume, by slice."""
    uids = {z: volume.sop_instance_uids[z] for z in slices if z < len(volume.sop_instance_uids)}
    rows = Instance.objects.filter(site=volume.site_id, sop_instance_uid__in=uids.values()).defer("header")
    headers = {row.sop_instance_uid: _header(row) for row in rows}
    return {z: headers[uid] for z, uid in uids.items() if uid in headers}


def _header(instance: Instance) -> Dataset:
    with open_instance(instance) as file:
        return image_header(open_part10(file).dataset)


def _is_missing(study: Study, placing: Placing) -> bool:
    known = Instance.objects.filter(site=study.site_id, sop_instance_uid=placing.sop_instance_uid)
    return not known.exists()


def _file(study: Study, made: Dataset) -> None:
    """Store one object on the one path."""
    with spool([to_bytes(made)]) as spooled:
        arrival = arrive(spooled)
    receipt = file_own(study.site, [arrival])[0]
    if receipt.outcome not in (Outcome.STORED, Outcome.DUPLICATE):
        raise NotFiledError(f"{made.SOPClassUID.name} of study {study.pk}: {receipt.code}")
