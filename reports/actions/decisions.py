"""People decide about findings, and add those that the networks missed. What the networks said stays."""

from __future__ import annotations

import math
from typing import Any

from django.db import transaction

from accounts.models import Person
from core.problems import Conflict, UserError
from inference.models import Finding
from reports.actions.guards import begin_review, lock_open_study, require_radiologist, validate
from reports.models import Decision
from reports.nodules import newest_reading, volume_shown
from scans.dicom.geometry import Geometry
from scans.models import Study, Volume

Kind = Decision.Kind
MEASURES = ("long_axis_mm", "short_axis_mm", "type", "location", "center_mm", "slice_index")
CHECKED = ("kind", "reason", "note", *MEASURES)


def decide(  # noqa: PLR0913 - the fields of one decision
    person: Person,
    finding: Finding,
    *,
    kind: str,
    reason: str = "",
    note: str = "",
    long_axis_mm: float | None = None,
    short_axis_mm: float | None = None,
    type: str = "",
    location: str = "",
    center_mm: list[float] | None = None,
    slice_index: int | None = None,
) -> Decision:
    """Accept, reject or correct a finding; the newest decision counts, earlier ones stay.

    Of a corrected size, an axis that is not given stays as the networks measured it.
    """
    require_radiologist(person, finding.site_id)
    given = _given(long_axis_mm, short_axis_mm, type, location, center_mm, slice_index)
    with transaction.atomic():
        study = lock_open_study(finding.study_id)
        _require_current(finding, study)
        measures = _measures(kind, given, finding)
        decision = Decision(
            site_id=study.site_id,
            study=study,
            finding=finding,
            person=person,
            kind=_known(kind, Kind.ACCEPT, Kind.REJECT, Kind.CORRECT),
            reason=reason if kind == Kind.REJECT else "",
            note=note,
            **measures,
        )
        return _saved(decision, study)


def add_nodule(  # noqa: PLR0913 - the fields of one nodule
    person: Person,
    study: Study,
    *,
    center_mm: list[float],
    slice_index: int,
    long_axis_mm: float,
    short_axis_mm: float,
    type: str,
    location: str,
    note: str = "",
) -> Decision:
    """Add a nodule that the networks did not mark."""
    require_radiologist(person, study.site_id)
    given = _given(long_axis_mm, short_axis_mm, type, location, center_mm, slice_index)
    missing = [name for name in MEASURES if name not in given]
    if missing:
        names = ", ".join(name.replace("_mm", "").replace("_", " ") for name in missing)
        raise UserError("nodule_incomplete", f"An added nodule needs its {names}.")
    with transaction.atomic():
        study = lock_open_study(study.pk)
        decision = Decision(
            site_id=study.site_id, study=study, person=person, kind=Kind.ADD, note=note, **given
        )
        return _saved(decision, study)


def revise_added(  # noqa: PLR0913 - the fields of one decision
    person: Person,
    decision: Decision,
    *,
    kind: str,
    reason: str = "",
    note: str = "",
    long_axis_mm: float | None = None,
    short_axis_mm: float | None = None,
    type: str = "",
    location: str = "",
    center_mm: list[float] | None = None,
    slice_index: int | None = None,
) -> Decision:
    """Correct or withdraw an added nodule; `decision` is the one that added it, or a later one about it."""
    require_radiologist(person, decision.site_id)
    root = decision.about or decision
    if root.kind != Kind.ADD:
        raise Conflict(
            "not_an_added_nodule", "This nodule was not added by a person; decide about its finding."
        )
    given = _given(long_axis_mm, short_axis_mm, type, location, center_mm, slice_index)
    with transaction.atomic():
        study = lock_open_study(root.study_id)
        revision = Decision(
            site_id=study.site_id,
            study=study,
            about=root,
            person=person,
            kind=_known(kind, Kind.CORRECT, Kind.REJECT),
            reason=(reason or Decision.Reason.OTHER) if kind == Kind.REJECT else "",
            note=note,
            **_measures(kind, given, _newest_size(root)),
        )
        return _saved(revision, study)


def _given(*values: Any) -> dict[str, Any]:
    """The measures that were given, by name."""
    given = zip(MEASURES, values, strict=True)
    return {name: value for name, value in given if value not in (None, "", [])}


def _known(kind: str, *allowed: Kind) -> Kind:
    if kind not in allowed:
        raise UserError("unknown_kind", f"A decision here is one of {', '.join(allowed)}.")
    return Kind(kind)


def _require_current(finding: Finding, study: Study) -> None:
    reading = newest_reading(study)
    if reading is None or reading.pk != finding.reading_id:
        raise Conflict(
            "reading_replaced", "This study was read again; open it anew and decide about the new findings."
        )


def _measures(kind: str, given: dict[str, Any], before: Finding | Decision) -> dict[str, Any]:
    """What a decision says about the nodule itself: only a correction says anything."""
    if kind != Kind.CORRECT:
        if given:
            raise UserError(
                "only_a_correction_changes", "To change size, type or place, correct the finding."
            )
        return {}
    if not given:
        raise UserError(
            "nothing_corrected", "Change the size, the type or the place to correct this finding."
        )
    if "long_axis_mm" in given or "short_axis_mm" in given:
        given.setdefault("long_axis_mm", before.long_axis_mm)
        given.setdefault("short_axis_mm", before.short_axis_mm)
    return given


def _newest_size(root: Decision) -> Decision:
    """The decision about an added nodule that last gave its size."""
    sized = root.later.filter(kind=Kind.CORRECT, long_axis_mm__isnull=False)
    return sized.order_by("-id").first() or root


def _saved(decision: Decision, study: Study) -> Decision:
    _require_numbers(decision)
    validate(decision, *CHECKED)
    _require_inside(decision, study)
    decision.save()
    begin_review(study)
    return decision


def _require_numbers(decision: Decision) -> None:
    if decision.center_mm is not None and len(decision.center_mm) != 3:
        raise UserError("invalid", "A place has three coordinates: x, y and z in millimetres.")
    numbers = [decision.long_axis_mm, decision.short_axis_mm, *(decision.center_mm or [])]
    if not all(math.isfinite(number) for number in numbers if number is not None):
        raise UserError("invalid", "Sizes and positions must be finite numbers of millimetres.")


def _require_inside(decision: Decision, study: Study) -> None:
    """A position must lie within the volume that the person looks at."""
    if decision.center_mm is None and decision.slice_index is None:
        return
    reading = newest_reading(study)
    volume = reading.volume if reading else volume_shown(study)
    if volume is not None and not _is_inside(decision, volume):
        raise UserError("outside_the_scan", "The place lies outside the scan; mark it on an image.")


def _is_inside(decision: Decision, volume: Volume) -> bool:
    shape = volume.shape
    if decision.slice_index is not None and decision.slice_index >= shape[0]:
        return False
    if decision.center_mm is None:
        return True
    index = _geometry(volume).to_index(decision.center_mm)
    return all(-0.5 <= at <= length - 0.5 for at, length in zip(index, shape, strict=True))


def _geometry(volume: Volume) -> Geometry:
    d = [float(value) for value in volume.direction]
    return Geometry(
        shape=(volume.shape[0], volume.shape[1], volume.shape[2]),
        spacing_mm=(volume.spacing_mm[0], volume.spacing_mm[1], volume.spacing_mm[2]),
        origin_mm=(volume.origin_mm[0], volume.origin_mm[1], volume.origin_mm[2]),
        direction=((d[0], d[1], d[2]), (d[3], d[4], d[5]), (d[6], d[7], d[8])),
    )
