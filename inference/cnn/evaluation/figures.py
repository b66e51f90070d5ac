"""Figures of merit by their textbook definitions, and intervals by bootstrap over patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

FloatArray = NDArray[np.float64]


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve (Mann-Whitney; ties count half); NaN where one class is missing."""
    values, positive = np.asarray(scores, float), np.asarray(labels).astype(bool)
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(values)[positive].sum() - n * (n + 1) / 2) / (n * m))


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Overlap of two masks, 1 where both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def interval(
    patients: Sequence[str], figure: Callable[[NDArray[np.intp]], float], *, rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of `figure(row indices)` over patients drawn anew with replacement."""
    names = sorted(set(patients))
    rows = {name: np.flatnonzero(np.asarray(patients) == name) for name in names}
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(rounds):
        drawn = [rows[names[i]] for i in rng.integers(len(names), size=len(names))]
        values.append(figure(np.concatenate(drawn)))
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def roc(scores: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(false positive rate, sensitivity) at every threshold, from none marked to all marked."""
    hits, alarms = _above_each_threshold(scores, labels)
    return alarms / max(alarms[-1], 1), hits / max(hits[-1], 1)


def precision_recall(scores: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(recall, precision) at every threshold."""
    hits, alarms = _above_each_threshold(scores, labels)
    return hits[1:] / max(hits[-1], 1), hits[1:] / (hits[1:] + alarms[1:])


def _above_each_threshold(scores: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Positives and negatives at or above each distinct score, highest first; both begin with 0."""
    values, positive = np.asarray(scores, float), np.asarray(labels).astype(bool)
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, len(values) > 0))
    hits, alarms = (np.cumsum(side[order])[ends].astype(float) for side in (positive, ~positive))
    return np.append(0.0, hits), np.append(0.0, alarms)


def sensitivity_at(scores: ArrayLike, labels: ArrayLike, false_positive_rate: float) -> float:
    """The highest sensitivity whose false positive rate is not above the one given."""
    rates, sensitivities = roc(scores, labels)
    return float(sensitivities[rates <= false_positive_rate + 1e-12].max())


def brier(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared difference of probability and outcome (Brier 1950)."""
    return float(np.mean((np.asarray(probabilities, float) - np.asarray(labels, float)) ** 2))


def calibration(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = 10
) -> list[tuple[float, float, int]]:
    """(mean probability, share of positives, count) of bins with equally many cases, lowest first."""
    predicted, outcome = np.asarray(probabilities, float), np.asarray(labels, float)
    parts = np.array_split(np.argsort(predicted, kind="stable"), bins)
    return [(float(predicted[p].mean()), float(outcome[p].mean()), len(p)) for p in parts if len(p)]


def ece(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error: mean gap of probability and share over equally filled bins."""
    parts = calibration(probabilities, labels, bins)
    total = sum(count for *_, count in parts)
    return sum(abs(predicted - share) * count for predicted, share, count in parts) / total


def decisions(probabilities: ArrayLike, labels: ArrayLike, threshold: float = 0.5) -> dict[str, float]:
    """Accuracy, sensitivity and the rest of "positive from the threshold on"; NaN where undefined."""
    said, true = np.asarray(probabilities, float) >= threshold, np.asarray(labels).astype(bool)
    tp, tn = int((said & true).sum()), int((~said & ~true).sum())
    fp, fn = int((said & ~true).sum()), int((~said & true).sum())
    return {
        "accuracy": _share(tp + tn, len(true)),
        "sensitivity": _share(tp, tp + fn),
        "specificity": _share(tn, tn + fp),
        "precision": _share(tp, tp + fp),
        "recall": _share(tp, tp + fn),
        "f1": _share(2 * tp, 2 * tp + fp + fn),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
