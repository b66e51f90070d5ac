"""The detector on crops: what it marks in shifted windows, per 5 litres of field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.candidates import Candidate, Limits, distinct, find_candidates
from inference.cnn.evaluation.chosen import Chosen
from inference.cnn.evaluation.froc import Marks, froc_figures
from inference.cnn.evaluation.neighbours import Neighbourhood
from inference.cnn.evaluation.nodules import Case
from inference.cnn.evaluation.segmentation import SEED, Told
from inference.cnn.evaluation.stacks import Stack, windowed
from inference.cnn.networks import Network
from inference.cnn.reduction import Judged, judge
from inference.cnn.seeking import seek

SHIFT_PX = 12
MOST_MARKS = 10
FIELD_ML = 5000.0
AT_LEAST_READERS = 3
AT_LEAST_MM = 3.0

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Searched:
    """One window with its marks (voxels of the crop), before and after the second look."""

    case: Case
    stack: Stack
    candidates: tuple[Candidate, ...]
    judged: tuple[Judged, ...]
    sought: tuple[Judged, ...] = ()


def marks_of(stack: Stack, networks: Chosen) -> tuple[list[Candidate], list[Judged]]:
    """Candidates within the field, MOST_MARKS at most, and what the second look says of them.

    Above and below, the volume is the field's own mirror image, often only millimetres away: a mark there is
    a mark of the same picture and is folded back onto it.
    """
    everywhere = np.ones(stack.hu.shape, bool)
    limits = Limits(networks["candidates"].manifest["limits"]["score"], 6 * MOST_MARKS)
    found = find_candidates(
        stack.hu, stack.spacing_mm, everywhere, networks["candidates"], limits, lambda part: None
    )
    folded = [dataclasses.replace(c, zyx_mm=stack.folded(c.zyx_mm)) for c in found]
    inside = distinct([c for c in folded if stack.in_field(stack.voxel(c.zyx_mm))])[:MOST_MARKS]
    return inside, judge(stack.hu, stack.spacing_mm, inside, networks["reduction"])


def sought_in(stack: Stack, seeker: Network) -> tuple[Judged, ...]:
    """What the network for thin stacks marks in the field itself, without any continuation."""
    field = stack.hu[stack.field]
    found = seek(field, stack.spacing_mm, np.ones(field.shape, bool), seeker)
    first = [f.start * s for f, s in zip(stack.field, stack.spacing_mm, strict=True)]
    return tuple(_moved(one, first) for one in found[:MOST_MARKS])


def _moved(one: Judged, by_mm: Sequence[float]) -> Judged:
    z, y, x = (p + d for p, d in zip(one.candidate.zyx_mm, by_mm, strict=True))
    return Judged(dataclasses.replace(one.candidate, zyx_mm=(z, y, x)), one.p_nodule)


def search_all(
    cases: Sequence[Case], networks: Chosen, tell: Told, *, as_whole_scan: bool = True
) -> list[Searched]:
    """Every crop as a window moved at random by up to SHIFT_PX rows and columns.

    `as_whole_scan`: also by the networks that read whole scans.
    """
    rng, searched = np.random.default_rng(SEED), []
    for done, case in enumerate(cases, 1):
        dy, dx = (int(v) for v in rng.integers(-SHIFT_PX, SHIFT_PX + 1, 2))
        stack = windowed(case, (dy, dx))
        candidates, judged = marks_of(stack, networks) if as_whole_scan else ([], [])
        sought = sought_in(stack, networks["seeker"])
        searched.append(Searched(case, stack, tuple(candidates), tuple(judged), sought))
        tell(done / len(cases))
    return searched


def hits(case: Case, voxel: NDArray[np.float64]) -> bool:
    """Whether a mark lies on an outline widened by 2 pixels and 1 slice, or within the nodule's radius."""
    gap_mm = (voxel - case.center) * case.nodule.spacing_mm
    if float(np.linalg.norm(gap_mm)) <= case.nodule.longest_mm / 2:
        return True
    return _on(_widened(case.nodule.votes > 0), voxel)


def _widened(mask: Mask) -> Mask:
    in_plane = np.zeros((3, 3, 3), bool)
    in_plane[1] = ndimage.generate_binary_structure(2, 1)
    along = np.zeros((3, 3, 3), bool)
    along[:, 1, 1] = True
    return np.asarray(ndimage.binary_dilation(ndimage.binary_dilation(mask, in_plane, 2), along))


def _on(mask: Mask, voxel: NDArray[np.float64]) -> bool:
    at = np.rint(voxel).astype(int)
    inside = bool((at >= 0).all() and (at < mask.shape).all())
    return inside and bool(mask[tuple(at)])


def eligible(case: Case) -> bool:
    """Nodules that are looked for: at least three readers, 3 mm and more."""
    return case.readers >= AT_LEAST_READERS and case.nodule.longest_mm >= AT_LEAST_MM


def _scored(
    one: Searched, places: Sequence[tuple[NDArray[np.float64], float]], known: Neighbourhood
) -> tuple[float | None, list[float]]:
    """The best score on the nodule (None: missed), and the scores of the false positives."""
    on = [score for voxel, score in places if hits(one.case, voxel)]
    off = [s for voxel, s in places if not hits(one.case, voxel) and not known.marked(one.case, voxel)]
    return (max(on) if on else None), off


Places = Callable[[Searched], list[tuple[NDArray[np.float64], float]]]


def after_second_look(one: Searched) -> list[tuple[NDArray[np.float64], float]]:
    return [(one.stack.voxel(j.candidate.zyx_mm), j.p_nodule) for j in one.judged]


def thin_stack(one: Searched) -> list[tuple[NDArray[np.float64], float]]:
    return [(one.stack.voxel(j.candidate.zyx_mm), j.p_nodule) for j in one.sought]


def candidates_only(one: Searched) -> list[tuple[NDArray[np.float64], float]]:
    return [(one.stack.voxel(c.zyx_mm), c.score) for c in one.candidates]


def marks_that_count(searched: Sequence[Searched], known: Neighbourhood, places: Places) -> Marks:
    """FROC marks by patient; the field is counted in units of 5 litres."""
    patients = sorted({s.case.nodule.patient_id for s in searched})
    number = {name: i for i, name in enumerate(patients)}
    score: list[float] = []
    hit: list[bool] = []
    group: list[int] = []
    nodules, field = np.zeros(len(patients)), np.zeros(len(patients))
    for one in searched:
        patient = number[one.case.nodule.patient_id]
        best, alarms = _scored(one, places(one), known)
        sought = eligible(one.case)
        nodules[patient] += sought
        field[patient] += one.stack.field_ml / FIELD_ML
        found = [best] if sought and best is not None else []
        score += [*found, *alarms]
        hit += [True] * len(found) + [False] * len(alarms)
        group += [patient] * (len(found) + len(alarms))
    return Marks(np.array(score), np.array(hit, bool), np.array(group, int), nodules, field)


def at_threshold(marks: Marks, threshold: float) -> dict[str, float]:
    """Sensitivity and false positives per 5 litres at one threshold."""
    shown = marks.score >= threshold
    return {
        "threshold": threshold,
        "sensitivity": float((shown & marks.hit).sum() / max(marks.nodules.sum(), 1)),
        "false_positives_per_5_litres": float((shown & ~marks.hit).sum() / max(marks.field.sum(), 1e-9)),
    }


def detection_block(marks: Marks, others: Mapping[str, Marks], threshold: float) -> dict[str, Any]:
    """Figures of what reads such a stack, and under their names those of other networks."""
    return {
        **froc_figures(marks),
        "field_litres": float(marks.field.sum()) * FIELD_ML / 1000,
        "at_shipped_threshold": at_threshold(marks, threshold),
        **{name: froc_figures(one) for name, one in others.items()},
    }
