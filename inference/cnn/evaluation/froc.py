"""Free-response ROC: sensitivity against false positives per field, for scans and for crops alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATES = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Marks:
    """Marks that count, after hits on the same nodule and marks on excluded findings were dropped.

    `score`, `hit` (the best mark of a nodule; all others are false positives) and `group` (index of the scan
    or patient) have one entry per mark; `nodules` and `field` one per group. The field is counted in the unit
    of the rate: scans, or 5 litres of lung.
    """

    score: FloatArray
    hit: NDArray[np.bool_]
    group: NDArray[np.intp]
    nodules: FloatArray
    field: FloatArray


def curve(marks: Marks, weights: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """(false positives per field, sensitivity) from the strictest threshold on; `weights` repeat groups."""
    weight = np.ones(len(marks.nodules)) if weights is None else weights
    order = np.argsort(-marks.score, kind="stable")
    each = weight[marks.group[order]]
    score = marks.score[order]
    ends = np.flatnonzero(np.append(np.diff(score) != 0, len(score) > 0))
    hits = np.cumsum(each * marks.hit[order])[ends]
    alarms = np.cumsum(each * ~marks.hit[order])[ends]
    nodules, field = float(weight @ marks.nodules), float(weight @ marks.field)
    return np.append(0.0, alarms / max(field, 1e-9)), np.append(0.0, hits / max(nodules, 1e-9))


def sensitivities(marks: Marks, weights: FloatArray | None = None) -> list[float]:
    """Sensitivity at the seven RATES, linear between thresholds (as LUNA16's program)."""
    alarms, found = curve(marks, weights)
    return [float(v) for v in np.interp(RATES, alarms, found)]


def cpm_interval(marks: Marks, rounds: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of the seven sensitivities, groups drawn anew with replacement."""
    rng, count = np.random.default_rng(seed), len(marks.nodules)
    drawn = (np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(rounds))
    values = [np.mean(sensitivities(marks, d.astype(float))) for d in drawn]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def froc_figures(marks: Marks) -> dict[str, Any]:
    """`froc`: pairs of rate and sensitivity; `cpm`: their mean with its interval."""
    found = sensitivities(marks)
    return {
        "froc": [[rate, value] for rate, value in zip(RATES, found, strict=True)],
        "cpm": float(np.mean(found)),
        "cpm_ci95": cpm_interval(marks),
        "n_nodules": int(marks.nodules.sum()),
        "false_positives": int((~marks.hit).sum()),
    }
