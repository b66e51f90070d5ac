"""The nodules of a study as they stand now: what the networks said, with what people decided about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from inference.models import Finding, Reading
from reports import character
from reports.models import Decision
from scans.models import Instance, Study, Volume

Status = Literal["undecided", "accepted", "rejected", "corrected", "added"]
STATUS: Mapping[str, Status] = {
    Decision.Kind.ACCEPT: "accepted",
    Decision.Kind.REJECT: "rejected",
    Decision.Kind.CORRECT: "corrected",
}
KEPT = ("accepted", "corrected", "added")


@dataclass(frozen=True)
class Nodule:
    """A finding, or a nodule that a person added, merged with its newest decision.

    Attributes
    ----------
    number : as in the reading; added nodules go on from there.
    decision : the newest one; `added` is the one that added the nodule, None for a finding.
    location : in words, from the newest correction, else the side that the networks gave.
    center_mm : (x, y, z) LPS.
    volume_mm3 : of the outline; None as soon as a person has corrected the size.
    character : what the networks saw beside type, place and size, in words.
    volume_note, density_note : why there is no volume, and why statements on density are limited, where the
        acquisition forbids or limits them.
    """

    number: int
    status: Status
    finding: Finding | None
    decision: Decision | None
    added: Decision | None
    long_axis_mm: float | None
    short_axis_mm: float | None
    volume_mm3: float | None
    type: str
    side: str
    location: str
    slice_index: int | None
    center_mm: list[float] | None
    series_number: int | None = None
    image_number: int | None = None
    p_nodule: float | None = None
    malignancy: float | None = None
    malignancy_low: float | None = None
    malignancy_high: float | None = None
    key_image: str = ""
    character: tuple[str, ...] = ()
    volume_note: str = ""
    density_note: str = ""

    @property
    def mean_diameter_mm(self) -> float | None:
        """Mean of long and short axis (CLINICAL 1.4)."""
        if self.long_axis_mm is None or self.short_axis_mm is None:
            return None
        return (self.long_axis_mm + self.short_axis_mm) / 2

    @property
    def is_kept(self) -> bool:
        """Whether it goes into the report as a nodule."""
        return self.status in KEPT

    @property
    def is_undecided(self) -> bool:
        return self.status == "undecided"

    @property
    def type_label(self) -> str:
        return str(Finding.Type(self.type).label) if self.type else ""

    def record(self) -> dict[str, Any]:
        """Plain values for the version of a report that is saved with it."""
        return {
            "number": self.number,
            "status": self.status,
            "finding": _id(self.finding),
            "decision": _id(self.decision),
            "added": _id(self.added),
            "long_axis_mm": self.long_axis_mm,
            "short_axis_mm": self.short_axis_mm,
            "mean_diameter_mm": self.mean_diameter_mm,
            "volume_mm3": self.volume_mm3,
            "type": self.type,
            "location": self.location,
            "slice_index": self.slice_index,
            "center_mm": self.center_mm,
            "series_number": self.series_number,
            "image_number": self.image_number,
            "p_nodule": self.p_nodule,
            "malignancy": self.malignancy,
            "malignancy_low": self.malignancy_low,
            "malignancy_high": self.malignancy_high,
            "key_image": self.key_image,
            "character": list(self.character),
            "volume_note": self.volume_note,
        }


def nodules_of(study: Study) -> list[Nodule]:
    """Nodules of the newest reading and added ones, in order of their numbers; four queries at most."""
    reading = newest_reading(study)
    found = list(reading.findings.defer("mask_bits")) if reading else []
    decisions = list(Decision.objects.filter(study=study).select_related("person").in_order())
    newest = _newest_by_subject(decisions)
    nodules = [_of_finding(finding, newest.get(finding.pk), reading) for finding in found] if reading else []
    first_free = max((nodule.number for nodule in nodules), default=0) + 1
    added = [decision for decision in decisions if decision.kind == Decision.Kind.ADD]
    nodules += [_added(n, root, newest[root.pk], decisions) for n, root in enumerate(added, first_free)]
    return _with_images(nodules, reading.volume if reading else volume_shown(study))


def newest_reading(study: Study) -> Reading | None:
    """The reading that counts: the newest one."""
    readings = Reading.objects.filter(study=study).select_related("volume__series", "pipeline")
    return readings.order_by("-id").first()


def volume_shown(study: Study) -> Volume | None:
    """Volume of a study without a reading, in which people mark nodules."""
    volumes = Volume.objects.filter(series__study=study).select_related("series")
    if study.read_series_id is not None:
        volumes = volumes.filter(series=study.read_series_id)
    return volumes.order_by("-id").first()


def _id(row: Finding | Decision | None) -> str | None:
    return None if row is None else str(row.pk)


def _newest_by_subject(decisions: Iterable[Decision]) -> dict[UUID, Decision]:
    """Newest decision of each finding and of each added nodule, by the key of the subject."""
    return {decision.finding_id or decision.about_id or decision.pk: decision for decision in decisions}


def _of_finding(finding: Finding, decision: Decision | None, reading: Reading) -> Nodule:
    corrected = decision if decision is not None and decision.kind == Decision.Kind.CORRECT else None
    resized = corrected is not None and corrected.long_axis_mm is not None
    retyped = corrected is not None and corrected.type not in ("", finding.type)
    return Nodule(
        number=finding.number,
        status=STATUS[decision.kind] if decision else "undecided",
        finding=finding,
        decision=decision,
        added=None,
        long_axis_mm=_corrected(corrected, "long_axis_mm", finding.long_axis_mm),
        short_axis_mm=_corrected(corrected, "short_axis_mm", finding.short_axis_mm),
        volume_mm3=None if resized else finding.volume_mm3,
        type=_corrected(corrected, "type", finding.type),
        side=finding.side,
        location=_corrected(corrected, "location", character.place(finding)),
        slice_index=_corrected(corrected, "slice_index", finding.slice_index),
        center_mm=_corrected(corrected, "center_mm", finding.center_mm),
        p_nodule=finding.p_nodule,
        malignancy=finding.malignancy,
        malignancy_low=finding.malignancy_low,
        malignancy_high=finding.malignancy_high,
        key_image=finding.key_image,
        character=tuple(character.for_report(finding, sized_by_reader=resized or retyped)),
        volume_note="" if resized else reading.volume_note,
        density_note=reading.density_note,
    )


def _corrected(decision: Decision | None, field: str, said: Any) -> Any:
    """The corrected value where a person gave one, else what stood there before."""
    value = getattr(decision, field) if decision is not None else None
    return said if value in (None, "") else value


def _added(number: int, root: Decision, newest: Decision, decisions: list[Decision]) -> Nodule:
    """An added nodule: its corrections laid over it one after the other."""
    stages = [root] + [d for d in decisions if d.about_id == root.pk and d.kind == Decision.Kind.CORRECT]
    values: dict[str, Any] = {}
    for field in ("long_axis_mm", "short_axis_mm", "type", "location", "slice_index", "center_mm"):
        for stage in stages:
            values[field] = _corrected(stage, field, values.get(field))
    withdrawn = newest.kind == Decision.Kind.REJECT
    return Nodule(
        number=number,
        status="rejected" if withdrawn else "added",
        finding=None,
        decision=newest,
        added=root,
        volume_mm3=None,
        side="",
        **values,
    )


def _with_images(nodules: list[Nodule], volume: Volume | None) -> list[Nodule]:
    """The same nodules with the series and image number at which each is shown."""
    if volume is None or not nodules:
        return nodules
    uids = {n.number: _uid_at(volume, n.slice_index) for n in nodules}
    shown = Instance.objects.filter(series=volume.series_id, sop_instance_uid__in=uids.values())
    numbers = dict(shown.values_list("sop_instance_uid", "instance_number"))
    series_number = volume.series.series_number
    return [
        replace(nodule, series_number=series_number, image_number=numbers.get(uids[nodule.number]))
        for nodule in nodules
    ]


def _uid_at(volume: Volume, index: int | None) -> str:
    uids = volume.sop_instance_uids
    return uids[index] if index is not None and index < len(uids) else ""
