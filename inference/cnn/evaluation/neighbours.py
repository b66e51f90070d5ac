"""What else the readers marked in the same series: other nodules' outlines and point marks."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.cnn.evaluation.nodules import Case

POINT_PX = 5.0


@dataclass(frozen=True)
class Point:
    """A point mark (nodule below 3 mm, or non-nodule) in pixels of the 512 x 512 slice and mm along z."""

    patient: str
    z_mm: float
    row: float
    column: float


class Neighbourhood:
    """Every reader's mark of the evaluated patients, by patient."""

    def __init__(self, cases: Sequence[Case], points: Sequence[Point]) -> None:
        self.cases: dict[str, list[Case]] = {}
        self.points: dict[str, list[Point]] = {}
        for case in cases:
            self.cases.setdefault(case.nodule.patient_id, []).append(case)
        for point in points:
            self.points.setdefault(point.patient, []).append(point)

    def marked(self, case: Case, voxel: NDArray[np.float64]) -> bool:
        """Whether a voxel of `case`'s crop lies on another outline, or within POINT_PX of a point mark."""
        if case.place is None:
            return False
        at = voxel * [case.nodule.spacing_mm[0], 1, 1]
        there = at + np.array([case.place.z_mm, case.place.row, case.place.column])
        patient = case.nodule.patient_id
        others = (c for c in self.cases.get(patient, []) if c is not case)
        on_other = any(_outlined(other, case, there) for other in others)
        near = (_near(p, there, case.nodule.spacing_mm[0]) for p in self.points.get(patient, []))
        return on_other or any(near)


def _outlined(other: Case, case: Case, there: NDArray[np.float64]) -> bool:
    """`there` is z in mm, row and column of the 512 x 512 slice."""
    place = other.place
    if place is None or case.place is None or place.series != case.place.series:
        return False
    offset = there - [place.z_mm, place.row, place.column]
    at = np.rint(offset / [other.nodule.spacing_mm[0], 1, 1]).astype(int)
    votes = other.nodule.votes
    return bool((at >= 0).all() and (at < votes.shape).all() and votes[tuple(at)] > 0)


def _near(point: Point, there: NDArray[np.float64], spacing_z: float) -> bool:
    flat = float(np.hypot(there[1] - point.row, there[2] - point.column))
    return flat <= POINT_PX and abs(there[0] - point.z_mm) <= spacing_z + 0.01


def points_of(folder: Path, split: str) -> list[Point]:
    """The point marks beside the wide slices of a split; none where the lists are missing."""
    wide, points = folder / f"{split}_wide.csv", folder / f"{split}_wide_points.csv"
    if not wide.is_file() or not points.is_file():
        return []
    with wide.open(encoding="utf-8-sig") as stream:
        slices = {row["row"]: row for row in csv.DictReader(stream)}
    with points.open(encoding="utf-8-sig") as stream:
        rows = [row for row in csv.DictReader(stream) if row["row"] in slices]
    return [_point(row, slices[row["row"]]) for row in rows]


def _point(row: dict[str, str], wide: dict[str, str]) -> Point:
    return Point(
        wide["patient_id"],
        float(wide["z_mm"]) + float(row["dz_mm"]),
        float(wide["row0_in_512"]) + float(row["y"]),
        float(wide["col0_in_512"]) + float(row["x"]),
    )
