"""Cross-validation by patient: one training per fold, each judged on patients that it has not seen."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import IO, Any

import numpy as np
from scipy import stats

from inference.cnn.training.checkpoints import known, write_json
from inference.cnn.training.prepared import Figures, Fold
from inference.cnn.training.session import Order, Prepare, train

FOLDS = "folds.json"


def folder_of(out: Path, fold: Fold) -> Path:
    return out / f"fold-{fold.number}"


def cross_validate(
    order: Order, of: int, prepare: Prepare, stream: IO[str], only: int | None = None
) -> dict[str, Any]:
    """Train `of` folds (or one of them) and write `folds.json` with what is complete."""
    numbers = range(of) if only is None else [only]
    for fold in (Fold(number, of) for number in numbers):
        stream.write(f"Fold {fold.number} of {of}\n")
        one = dataclasses.replace(order, fold=fold, out=folder_of(order.out, fold))
        state = train(one, prepare, stream)
        if state.ended == "stopped":
            break
    told = gathered(order.out, of)
    write_json(order.out / FOLDS, told)
    return told


def gathered(out: Path, of: int) -> dict[str, Any]:
    """Figures of every fold that has ended, with mean, spread and 95 % interval of the mean over folds."""
    folds: list[dict[str, Any]] = []
    for fold in (Fold(number, of) for number in range(of)):
        state = known(folder_of(out, fold))
        if state.ended in ("whole", "patience"):
            folds.append({"fold": fold.number, "steps": state.step, "figures": state.best_figures})
    return {"of": of, "complete": len(folds), "folds": folds, "mean": mean_of([f["figures"] for f in folds])}


def mean_of(figures: list[Figures]) -> dict[str, dict[str, float]]:
    """Mean, standard deviation and Student's 95 % interval of each figure that all folds have.

    The interval takes folds as independent, which overlapping training sets are not: it is on the narrow side
    (Bengio and Grandvalet, JMLR 2004).
    """
    names = [name for name in figures[0] if all(name in f for f in figures)] if figures else []
    found = {}
    for name in names:
        values = np.array([f[name] for f in figures])
        told = {"mean": float(values.mean())}
        if len(values) > 1:
            sd = float(values.std(ddof=1))
            half = float(stats.t.ppf(0.975, len(values) - 1)) * sd / len(values) ** 0.5
            told |= {"sd": sd, "low": told["mean"] - half, "high": told["mean"] + half}
        found[name] = told
    return found
