"""Figures of merit: area under the curve, Dice, and intervals by bootstrap over patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata


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
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
