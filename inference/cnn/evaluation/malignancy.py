"""Malignancy as radiologists rate it, from the network's own outline; and patients with a diagnosis."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.candidates import patch_at
from inference.cnn.evaluation.chosen import Chosen
from inference.cnn.evaluation.errors import NoLabelsError
from inference.cnn.evaluation.figures import auc, brier, decisions, ece, interval
from inference.cnn.evaluation.logistic import cross_validated
from inference.cnn.evaluation.nodules import Case
from inference.cnn.evaluation.segmentation import CENTER_PX, SEED, Drawn, Told, outlined_at
from inference.cnn.evaluation.stacks import Stack, gone_on, reflected
from inference.cnn.features import nodule_features
from inference.cnn.malignancy import rate
from inference.cnn.resampling import sample_grid

FloatArray = NDArray[np.float64]

UNDECIDED = 3.0
CENTER_SLICES = 1.0
BANDS_MM = {"4 to 8": (4.0, 8.0), "8 to 15": (8.0, 15.0), "above 15": (15.0, 999.0)}
CUBE = 48


@dataclass(frozen=True)
class Rated:
    """A nodule, its outline, what the network rates it, and the features of that outline."""

    drawn: Drawn
    probability: float
    features: FloatArray

    @property
    def case(self) -> Case:
        return self.drawn.case

    @property
    def own_volume_mm3(self) -> float:
        return float(self.drawn.mask.sum()) * float(np.prod(self.case.nodule.spacing_mm))


def outline_features(drawn: Drawn) -> FloatArray:
    """Shape and density of our own outline (inference.cnn.features) on a 1 mm grid around it."""
    stack = drawn.stack
    whole = np.zeros(stack.hu.shape, np.float32)
    if drawn.found is None:
        center = np.array(whole.shape) / 2
    else:
        start, mask = drawn.found.start, drawn.found.mask
        whole[tuple(slice(s, s + n) for s, n in zip(start, mask.shape, strict=True))] = mask
        center = np.argwhere(mask).mean(axis=0) + start
    z, y, x = (float(v) for v in center * np.asarray(stack.spacing_mm))
    cube = patch_at(stack.hu, stack.spacing_mm, (z, y, x), CUBE, 1.0)
    first = (z - CUBE // 2, y - CUBE // 2, x - CUBE // 2)
    grid = sample_grid(whole, stack.spacing_mm, first, (CUBE, CUBE, CUBE), (1.0, 1.0, 1.0), smooth=False)
    return np.asarray(nodule_features(cube, grid >= 0.5, (1.0, 1.0, 1.0)), np.float64)


def _rated(case: Case, stack: Stack, center: FloatArray, networks: Chosen) -> Rated:
    drawn = outlined_at(case, stack, stack.place_mm(center), networks)
    if drawn.found is None:
        return Rated(drawn, 0.0, outline_features(drawn))
    rating = rate(stack.hu, stack.spacing_mm, [drawn.found], networks["malignancy"])[0]
    return Rated(drawn, rating.malignancy, outline_features(drawn))


def rate_all(cases: Sequence[Case], networks: Chosen, *, synthetic: bool, tell: Told) -> list[Rated]:
    """Every nodule from a centre moved by up to CENTER_PX in the plane and CENTER_SLICES in z."""
    rng, rated = np.random.default_rng(SEED), []
    reach = np.array([CENTER_SLICES, CENTER_PX, CENTER_PX])
    for done, case in enumerate(cases, 1):
        stack = gone_on(case, np.random.default_rng(SEED + done)) if synthetic else reflected(case)
        rated.append(_rated(case, stack, case.center + rng.uniform(-reach, reach), networks))
        tell(done / len(cases))
    return rated


def check_rated(cases: Sequence[Case]) -> None:
    """NoLabelsError where nobody rated any nodule other than 3."""
    if all(case.malignancy in (None, UNDECIDED) for case in cases):
        raise NoLabelsError(
            "No nodule here has a malignancy rating other than 3; there is nothing to compare."
        )


def decided(rated: Sequence[Rated]) -> list[Rated]:
    """Those whose mean rating is not exactly 3."""
    return [r for r in rated if r.case.malignancy not in (None, UNDECIDED)]


def labels(rated: Sequence[Rated]) -> NDArray[np.bool_]:
    return np.array([(r.case.malignancy or 0.0) > UNDECIDED for r in rated], bool)


def probabilities(rated: Sequence[Rated]) -> FloatArray:
    return np.array([r.probability for r in rated])


def auc_interval(
    scores: FloatArray, label: NDArray[np.bool_], patients: Sequence[str]
) -> tuple[float, float]:
    return interval(patients, lambda i: auc(scores[i], label[i]))


def _bands(rated: Sequence[Rated], label: NDArray[np.bool_]) -> dict[str, Any]:
    size = np.array([r.case.nodule.longest_mm for r in rated])
    predicted, found = probabilities(rated), {}
    for name, (low, high) in BANDS_MM.items():
        within = (size >= low) & (size < high)
        found[name] = {
            "n": int(within.sum()),
            "positive": int(label[within].sum()),
            "auc": auc(predicted[within], label[within]),
            "auc_diameter": auc(size[within], label[within]),
        }
    return found


def malignancy_block(rated: Sequence[Rated]) -> dict[str, Any]:
    """Figures over the decided nodules of `rated`; exactly 3 is left out and counted."""
    kept = decided(rated)
    if not kept:
        return {"n_nodules": 0, "auc": None, "auc_ci95": None}
    label, predicted = labels(kept), probabilities(kept)
    patients = [r.case.nodule.patient_id for r in kept]
    features = cross_validated(np.stack([r.features for r in kept]), label.astype(float), patients)
    return {
        "n_patients": len(set(patients)),
        "n_nodules": len(kept),
        "n_positive": int(label.sum()),
        "n_left_out_at_3": sum(r.case.malignancy == UNDECIDED for r in rated),
        "n_unrated": sum(r.case.malignancy is None for r in rated),
        "auc": auc(predicted, label),
        "auc_ci95": auc_interval(predicted, label, patients),
        "auc_diameter": auc([r.case.nodule.longest_mm for r in kept], label),
        "auc_volume_own_outline": auc([r.own_volume_mm3 for r in kept], label),
        "auc_features": auc(features, label),
        **decisions(predicted, label),
        "brier": brier(predicted, label),
        "ece": ece(predicted, label),
        "by_diameter_mm": _bands(kept, label),
    }


FEATURES_NOTE = (
    "auc_features: logistic regression on the features of our own outline, fitted by five-fold "
    "cross-validation by patient on these very nodules; auc_diameter: longest diameter of the readers"
)


def at_least(rated: Sequence[Rated], readers: int) -> list[Rated]:
    return [r for r in rated if r.case.readers >= readers]


def diagnosis_figures(folder: Path, rated: Sequence[Rated]) -> dict[str, Any]:
    """Highest rating of a patient against the diagnosis: 1 benign, 2 and 3 cancer; 0 (unknown) left out."""
    path = folder / "patient_diagnosis.csv"
    if not path.is_file():
        return {"n_patients": 0, "note": "patient_diagnosis.csv is not there"}
    with path.open(encoding="utf-8-sig") as stream:
        known = {r["patient_id"]: int(r["diagnosis"] or 0) for r in csv.DictReader(stream)}
    patients = sorted({r.case.nodule.patient_id for r in rated if known.get(r.case.nodule.patient_id, 0) > 0})
    own = {p: [r for r in rated if r.case.nodule.patient_id == p] for p in patients}
    label = np.array([known[p] > 1 for p in patients], bool)
    highest = np.array([max(r.probability for r in own[p]) for p in patients])
    largest = np.array([max(r.case.nodule.longest_mm for r in own[p]) for p in patients])
    return {
        "n_patients": len(patients),
        "n_cancer": int(label.sum()),
        "auc": auc(highest, label),
        "auc_ci95": auc_interval(highest, label, patients) if len(patients) > 1 else None,
        "auc_diameter": auc(largest, label),
    }
