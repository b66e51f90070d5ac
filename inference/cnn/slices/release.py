"""`python -m inference.cnn.slices.release --data ../shared/data`: what is shipped, trained and measured.

Shipped are the weights trained on the train split, so that the val split and unseen data can judge them; the
manifest also holds the five-fold cross-validation by group over all pictures, with the same settings.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.networks import WEIGHTS
from inference.cnn.slices.dataset import CLASSES, FOLDER, Slices, balanced_accuracy, dealt, read_slices
from inference.cnn.slices.evaluation import figures_of, lessons

FOLDS = 5
FAMILIAR_TAIL = 0.005
FAMILIAR_MOST = 0.99
LICENCE = "Apache-2.0; trained on IQ-OTH/NCCD (CC BY 4.0), see docs/models/slices.md"


def trained(trained_on: Slices) -> Any:
    """The model after the steps of `configs/slices.toml`."""
    import keras

    from inference.cnn.slices.training import prepared
    from inference.cnn.training.config import config_for
    from inference.cnn.training.loop import rate_at

    config = config_for("slices")
    keras.utils.set_random_seed(config.seed)
    ready = prepared(trained_on, trained_on.rows(np.arange(0)), config)
    for step in range(config.steps):
        ready.model.optimizer.learning_rate.assign(rate_at(step / config.steps, config.rate))
        ready.model.train_on_batch(*ready.make(np.random.default_rng((config.seed, step))))
    return ready.model


def cross_validated(slices: Slices) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Five folds by group: figures of all folds together, of each fold, and the two lessons."""
    from inference.cnn.slices.training import told_by

    number, told = dealt(slices, FOLDS), np.zeros((len(slices), len(CLASSES)), np.float32)
    for fold in range(FOLDS):
        aside = np.flatnonzero(number == fold)
        told[aside] = told_by(trained(slices.rows(np.flatnonzero(number != fold))), slices.rows(aside))
        _say(f"fold {fold}: {balanced_accuracy(slices.label[aside], told[aside].argmax(axis=1)):.3f}")
    folds = [
        balanced_accuracy(slices.label[number == k], told[number == k].argmax(axis=1)) for k in range(FOLDS)
    ]
    found = {**figures_of(slices, told), **lessons(slices, np.arange(len(slices)))}
    spread = {"folds": folds, "folds_mean": float(np.mean(folds)), "folds_sd": float(np.std(folds, ddof=1))}
    return {**found, **spread, "date": datetime.date.today().isoformat()}, told


def familiar_range(features: NDArray[np.float32]) -> dict[str, Any]:
    """Where 99 % of the training pictures lie, feature by feature, and how many features may lie outside."""
    low, high = np.quantile(features, [FAMILIAR_TAIL, 1 - FAMILIAR_TAIL], axis=0)
    margin = 0.1 * (high - low)
    outside = ((features < low - margin) | (features > high + margin)).sum(axis=1)
    return {
        "low": [round(float(v), 4) for v in low - margin],
        "high": [round(float(v), 4) for v in high + margin],
        "most_outside": int(np.quantile(outside, FAMILIAR_MOST)) + 1,
    }


def release(data: Path, folder: Path = WEIGHTS) -> dict[str, Any]:
    """Train, measure, and write weights and manifest; returns the manifest."""
    from inference.cnn.slices.training import told_by
    from inference.cnn.training.loop import save_plain

    slices = read_slices(data)
    train, val = (slices.rows(slices.where(name)) for name in ("train", "val"))
    figures, _ = cross_validated(slices)
    model = trained(train)
    path = folder / "slices.weights.h5"
    save_plain(model, path)
    told = {
        "task": "slices",
        "version": "1",
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "trained_on": [f"{FOLDER} train split ({len(set(train.group))} groups, {len(train)} pictures)"],
        "licence": LICENCE,
        "classes": list(CLASSES),
        "familiar": familiar_range(train.features),
        "val": figures_of(val, told_by(model, val)),
        "cross_validation": figures,
    }
    (folder / "slices.json").write_text(json.dumps(told, indent=2) + "\n")
    return told


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the course of a long command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    told = release(options.data, options.out)
    _say(
        f"val {told['val']['balanced_accuracy']:.3f}, "
        f"folds {told['cross_validation']['balanced_accuracy']:.3f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
