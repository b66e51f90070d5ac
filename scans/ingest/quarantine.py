"""What an administrator decides about an object in quarantine; and what there is to see of it before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from accounts.permissions import require_role
from core.problems import Conflict as Contradiction
from patients.models import Patient
from scans.dicom.apart import under_new_uids
from scans.dicom.headers import read_header
from scans.dicom.refusal import Refused
from scans.dicom.sameness import Difference, differences, largest_pixel_difference
from scans.ingest.arrivals import INSTANCES, Arrival, arrive
from scans.ingest.filing import Conflict, Drawer, number_of
from scans.ingest.receive import file_into, instance_of
from scans.models import Instance, Quarantined, Series, Study
from scans.storage import content_name, spool

if TYPE_CHECKING:
    from accounts.models import Person

Reason, Decision = Quarantined.Reason, Quarantined.Decision


@dataclass(frozen=True)
class Comparison:
    """A quarantined object beside what is stored: which attributes differ, and the pixels."""

    attributes: Sequence[Difference]
    pixels: str


def compare(row: Quarantined) -> Comparison:
    """The difference between an object in quarantine and the stored one of the same UID, or of its study."""
    stored = _stored_beside(row)
    if stored is None:
        return Comparison((), "The object that it contradicts is not stored any more.")
    with _bytes(stored.sha256) as old, _bytes(row.sha256) as new:
        found = differences(read_header(old), read_header(new))
        same_instance = stored.sop_instance_uid == row.sop_instance_uid
        return Comparison(
            found, _pixels(old, new) if same_instance else "Another image: pixels not compared."
        )


def _pixels(old: BinaryIO, new: BinaryIO) -> str:
    try:
        largest = largest_pixel_difference(old, new)
    except Refused as refused:
        return f"The pixels cannot be compared: {refused.sentence}"
    if largest is None:
        return "The pixels differ in number or size."
    return (
        f"The largest difference of a stored value is {largest}." if largest else "The pixels are the same."
    )


def decide(person: Person, quarantined_id: UUID, decision: Quarantined.Decision) -> Quarantined:
    """Carry out what an administrator decides, in one transaction with its entry in the audit trail.

    Raises
    ------
    Forbidden : the person is no administrator of the site.
    Contradiction : it is decided already, or cannot be done here, or would change a signed report.
    """
    with transaction.atomic():
        row = (
            Quarantined.objects.select_for_update(of=("self",)).select_related("site").get(pk=quarantined_id)
        )
        require_role(person, row.site_id, "administrator")
        if row.decision:
            raise Contradiction("already_decided", f"It is decided already: {row.get_decision_display()}.")
        row.kept_as = _ACTIONS[decision](row)
        row.decision, row.decided_by, row.resolved_at = decision, person, timezone.now()
        row.save(update_fields=["decision", "decided_by", "resolved_at", "kept_as"])
    return row


def _leave(row: Quarantined) -> str:
    return ""


def _take_new(row: Quarantined) -> str:
    arrival = _arrival(row)
    if row.reason == Reason.OTHER_BYTES:
        _replace(row, arrival)
    elif row.reason == Reason.OTHER_NAME:
        _rename(row, arrival)
        _file(Drawer(row.site), arrival)
    elif row.reason == Reason.OTHER_PATIENT:
        _move(row, arrival)
        _file(Drawer(row.site), arrival)
    else:
        sentence = "A series cannot move to another study. Keep both apart, or keep the stored one."
        raise Contradiction("not_possible", sentence)
    return row.sop_instance_uid


def _keep_both(row: Quarantined) -> str:
    """A number that two people have needs no new UIDs: the study is theirs; anything else does."""
    arrival = _arrival(row)
    if row.reason != Reason.OTHER_NAME:
        with _bytes(row.sha256) as file:
            copy = under_new_uids(file, f"{row.site_id}:{_whose(arrival)}")
        with spool([copy]) as spooled:
            renamed = arrive(spooled)
        if not isinstance(renamed, Arrival):
            raise Contradiction("not_possible", renamed.sentence)
        arrival = renamed
    return _file(Drawer(row.site, apart=True), arrival).sop_instance_uid


_ACTIONS: dict[str, Callable[[Quarantined], str]] = {
    Decision.KEEP_OLD: _leave,
    Decision.TAKE_NEW: _take_new,
    Decision.KEEP_BOTH: _keep_both,
    Decision.REJECT: _leave,
}


def _file(drawer: Drawer, arrival: Arrival) -> Instance:
    try:
        return file_into(drawer, arrival)
    except Conflict as conflict:
        sentence = f"It still contradicts what is stored: {conflict.reason.label}. Keep both apart."
        raise Contradiction("still_contradicts", sentence) from conflict


def _replace(row: Quarantined, arrival: Arrival) -> None:
    """The newcomer takes the row of the stored object, whose bytes get a quarantine row."""
    old = Instance.objects.select_for_update().get(site=row.site_id, sop_instance_uid=row.sop_instance_uid)
    if old.series.series_instance_uid != arrival.header.series_instance_uid:
        raise Contradiction("not_possible", "It belongs to another series. Keep both apart.")
    _require_unsigned(old.series.study_id)
    Quarantined.objects.create(
        site=row.site,
        study_id=old.series.study_id,
        sop_instance_uid=old.sop_instance_uid,
        sha256=old.sha256,
        size=old.size,
        reason=Reason.OTHER_BYTES,
        decision=Decision.KEEP_OLD,
        resolved_at=timezone.now(),
    )
    Series.objects.filter(pk=old.series_id).update(size_bytes=old.series.size_bytes + arrival.size - old.size)
    fresh = instance_of(old.series, arrival)
    fresh.pk, fresh.created_at = old.pk, old.created_at
    fresh.save(force_update=True)
    Study.objects.filter(pk=old.series.study_id).update(
        last_instance_at=timezone.now(), completed_at=None, status=Study.Status.RECEIVED, reason="", stage=""
    )


def _rename(row: Quarantined, arrival: Arrival) -> None:
    """The number belongs to one person after all: the newer name and birth date hold."""
    issuer, number = number_of(arrival.header, row.site)
    patient = Patient.objects.select_for_update().get(
        site=row.site, issuer=issuer, medical_record_number=number
    )
    for study in patient.studies.all():
        _require_unsigned(study.pk)
    patient.name = arrival.header.patient_name[:324] or patient.name
    patient.birth_date = arrival.header.patient_birth_date or patient.birth_date
    patient.save(update_fields=["name", "birth_date"])


def _move(row: Quarantined, arrival: Arrival) -> None:
    """The study belongs to the patient whom the newcomer names."""
    if row.study_id is None:
        raise Contradiction("not_possible", "The study is gone. Keep both apart, or reject.")
    _require_unsigned(row.study_id)
    study = Study.objects.select_for_update().get(pk=row.study_id)
    study.patient = Drawer(row.site).patient_of(arrival.header)
    study.save(update_fields=["patient"])


def _require_unsigned(study_id: UUID) -> None:
    if Study.objects.filter(pk=study_id, review=Study.Review.FINAL).exists():
        sentence = "The report of the study is signed: what it stands on is not changed. Keep both apart."
        raise Contradiction("signed", sentence)


def _stored_beside(row: Quarantined) -> Instance | None:
    same = Instance.objects.filter(site=row.site_id, sop_instance_uid=row.sop_instance_uid).first()
    if same is not None:
        return same
    if row.study_id is not None:
        return Instance.objects.filter(series__study=row.study_id).order_by("id").first()
    issuer, number = number_of(_arrival(row).header, row.site)
    of_patient = Instance.objects.filter(
        series__study__patient__issuer=issuer,
        series__study__patient__medical_record_number=number,
        site=row.site_id,
    )
    return of_patient.order_by("id").first()


def _whose(arrival: Arrival) -> str:
    header = arrival.header
    return (
        f"{header.patient_id}:{header.patient_name}:{header.patient_birth_date}:{header.study_instance_uid}"
    )


def _arrival(row: Quarantined) -> Arrival:
    with _bytes(row.sha256) as file:
        return Arrival(read_header(file), row.sha256, row.size)


def _bytes(sha256: str) -> BinaryIO:
    return default_storage.open(content_name(INSTANCES, sha256), "rb")  # type: ignore[return-value]
