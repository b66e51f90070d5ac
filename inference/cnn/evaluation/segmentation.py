"""Outlines against the readers' consensus, per nodule and through our own detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.candidates import Candidate
from inference.cnn.evaluation.chosen import Chosen
from inference.cnn.evaluation.figures import dice, interval
from inference.cnn.evaluation.nodules import Case
from inference.cnn.evaluation.stacks import Stack, gone_on, reflected
from inference.cnn.measures import measure
from inference.cnn.outlines import Outlined, outline_all
from inference.cnn.reduction import Judged
from scans.dicom.geometry import Geometry, Triple

HINT_MM = 8.0
CENTER_PX = 8.0
SEED = 7
VOLUME_FROM_MM = 6.0
BANDS_MM = {"below 5": (0.0, 5.0), "5 to 8": (5.0, 8.0), "8 to 15": (8.0, 15.0), "above 15": (15.0, 999.0)}

HEADLINE = ("dice_mean", "dice_ci95", "dice_readers", "dice_pooled", "diameter_mae_mm")

Mask = NDArray[np.bool_]
Told = Callable[[float], None]


@dataclass(frozen=True)
class Drawn:
    """A nodule and the network's outline on the voxels of its crop; None where nothing was outlined."""

    case: Case
    mask: Mask
    found: Outlined | None
    stack: Stack

    @property
    def dice(self) -> float:
        return dice(self.mask, self.case.consensus)


def outlined_at(case: Case, stack: Stack, zyx_mm: Triple, networks: Chosen) -> Drawn:
    """The outline from one place; the size that is hinted is always HINT_MM, never the truth."""
    judged = Judged(Candidate(zyx_mm, HINT_MM, 1.0), 1.0)
    found = outline_all(stack.hu, stack.spacing_mm, [judged], networks)
    if not found:
        return Drawn(case, np.zeros(stack.crop, bool), None, stack)
    return Drawn(case, stack.on_crop(found[0].start, found[0].mask), found[0], stack)


def shifted_center(case: Case, rng: np.random.Generator) -> NDArray[np.float64]:
    """The consensus' centre moved by up to CENTER_PX in row and column; the stack's middle in z."""
    moved = case.center[1:] + rng.uniform(-CENTER_PX, CENTER_PX, 2)
    return np.array([(case.nodule.hu.shape[0] - 1) / 2, *moved])


def draw_all(cases: Sequence[Case], networks: Chosen, *, synthetic: bool, tell: Told) -> list[Drawn]:
    """Every nodule from a shifted centre; z goes on by reflection or with synthetic slices."""
    rng, drawn = np.random.default_rng(SEED), []
    for done, case in enumerate(cases, 1):
        center = shifted_center(case, rng)
        stack = gone_on(case, np.random.default_rng(SEED + done)) if synthetic else reflected(case)
        drawn.append(outlined_at(case, stack, stack.place_mm(center), networks))
        tell(done / len(cases))
    return drawn


def longest_mm(mask: Mask, spacing_mm: Triple) -> float:
    """Longest axis in the slice with the largest area; 0 without voxels."""
    if not mask.any():
        return 0.0
    shape = (mask.shape[0], mask.shape[1], mask.shape[2])
    return measure(mask, Geometry(shape, spacing_mm, (0.0, 0.0, 0.0))).long_axis_mm


def majority(masks: Sequence[Mask]) -> Mask:
    """Voxels of at least half of the masks."""
    return np.asarray(np.mean(masks, axis=0) >= 0.5)


def _others(case: Case) -> list[tuple[Mask, Mask]]:
    """Each reader's outline with the majority of the other readers; empty below three readers."""
    masks = case.nodule.masks
    if len(masks) < 3:
        return []
    return [(one, majority([m for j, m in enumerate(masks) if j != i])) for i, one in enumerate(masks)]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def diameters(drawn: Sequence[Drawn]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longest in-plane axis of (ours, the consensus) in mm."""
    spacings = [d.case.nodule.spacing_mm for d in drawn]
    ours = [longest_mm(d.mask, s) for d, s in zip(drawn, spacings, strict=True)]
    theirs = [longest_mm(d.case.consensus, s) for d, s in zip(drawn, spacings, strict=True)]
    return np.array(ours), np.array(theirs)


def _equal_mm(case: Case) -> float:
    """Diameter of a ball of the consensus' volume."""
    volume = float(case.consensus.sum()) * float(np.prod(case.nodule.spacing_mm))
    return float((6 * volume / np.pi) ** (1 / 3))


def _volume_bias(drawn: Sequence[Drawn]) -> dict[str, Any]:
    """Mean and median of (ours - consensus) / consensus in percent, from VOLUME_FROM_MM up."""
    large = [d for d in drawn if _equal_mm(d.case) >= VOLUME_FROM_MM]
    ratio = [100 * (float(d.mask.sum()) / float(d.case.consensus.sum()) - 1) for d in large]
    return {
        "volume_bias_percent": _mean(ratio),
        "volume_bias_median_percent": float(np.median(ratio)) if ratio else float("nan"),
        "volume_bias_n": len(large),
    }


def _bands(drawn: Sequence[Drawn]) -> dict[str, Any]:
    found = {}
    for name, (low, high) in BANDS_MM.items():
        values = [d.dice for d in drawn if low <= d.case.nodule.diameter_mm < high]
        found[name] = {"n": len(values), "dice_mean": _mean(values)}
    return found


def dice_block(drawn: Sequence[Drawn]) -> dict[str, Any]:
    """All figures of one set of outlines."""
    values = np.array([d.dice for d in drawn])
    if not len(values):
        return {"n_nodules": 0, **dict.fromkeys(HEADLINE)}
    patients = [d.case.nodule.patient_id for d in drawn]
    pairs = [(d.mask, one, rest) for d in drawn for one, rest in _others(d.case)]
    overlap = sum(2 * int((d.mask & d.case.consensus).sum()) for d in drawn)
    voxels = sum(int(d.mask.sum()) + int(d.case.consensus.sum()) for d in drawn)
    ours, theirs = diameters(drawn)
    return {
        "n_nodules": len(drawn),
        "n_patients": len(set(patients)),
        "dice_mean": float(values.mean()),
        "dice_ci95": interval(patients, lambda i: float(values[i].mean())),
        "dice_median": float(np.median(values)),
        "dice_readers": _mean([dice(one, rest) for _, one, rest in pairs]),
        "dice_vs_majority_of_others": _mean([dice(mask, rest) for mask, _, rest in pairs]),
        "dice_pooled": overlap / voxels if voxels else float("nan"),
        "diameter_mae_mm": float(np.abs(ours - theirs).mean()),
        "diameter_bias_mm": float((ours - theirs).mean()),
        **_volume_bias(drawn),
        "by_diameter_mm": _bands(drawn),
        "n_not_outlined": sum(not d.mask.any() for d in drawn),
        "n_cut_by_window": sum(d.case.nodule.cut for d in drawn),
    }


def by_readers(drawn: Sequence[Drawn]) -> dict[str, Any]:
    """The headline over at least three readers, the same over every nodule under `all`."""
    return {**dice_block([d for d in drawn if d.case.readers >= 3]), "all": dice_block(drawn)}
