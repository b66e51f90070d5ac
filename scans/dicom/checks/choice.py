"""Which series of a study is read (end of CLINICAL section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scans.dicom.checks.acquisition import Acquisition
from scans.dicom.checks.check import Check, reason, refuse

Key = tuple[float, int, int, float]
WHY = ("thinnest slices", "softest kernel", "most slices", "lowest series number")


@dataclass(frozen=True)
class Candidate:
    """A series of the study with its checks."""

    series_instance_uid: str
    series_number: int | None
    description: str
    acquisition: Acquisition
    checks: tuple[Check, ...]

    @property
    def name(self) -> str:
        number = "without number" if self.series_number is None else str(self.series_number)
        return f"Series {number}" + (f" ({self.description})" if self.description else "")


def choose_series(candidates: Sequence[Candidate]) -> tuple[Candidate | None, str]:
    """The series to read and why: not refused, thinnest, softest kernel, most slices, lowest number."""
    readable = sorted((c for c in candidates if not refuse(c.checks)), key=_rank)
    if not readable:
        reasons = " ".join(f"{c.name}: {reason(c.checks)}" for c in sorted(candidates, key=_rank))
        return None, f"No series of this study is read. {reasons}".strip()
    chosen = readable[0]
    if len(candidates) == 1:
        return chosen, f"{chosen.name} is read: it is the only series of the study."
    if len(readable) == 1:
        return chosen, f"{chosen.name} is read: it is the only readable one of {len(candidates)} series."
    return chosen, f"{chosen.name} is read, chosen of {len(readable)} readable series: {_why(readable)}."


def _rank(candidate: Candidate) -> tuple[Key, str]:
    return _key(candidate), candidate.series_instance_uid


def _key(candidate: Candidate) -> Key:
    acquisition, number = candidate.acquisition, candidate.series_number
    thickness = acquisition.thickness_mm
    return (
        float("inf") if thickness is None else round(thickness, 2),
        int(acquisition.sharpness),
        -acquisition.slices,
        float("inf") if number is None else float(number),
    )


def _why(readable: Sequence[Candidate]) -> str:
    """The first rule in which the chosen series beats the runner-up."""
    chosen, runner_up = _key(readable[0]), _key(readable[1])
    for rule, mine, other in zip(WHY, chosen, runner_up, strict=True):
        if mine != other:
            return f"{rule} ({mine:.2f} mm)" if rule == WHY[0] else rule
    return "all rules equal, first by identifier"
