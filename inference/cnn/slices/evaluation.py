"""How well single pictures are told apart when whole groups are kept together, beside two lessons.

The two lessons are the nearest neighbour among thumbnails, and what a division by picture would pretend.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.cnn.evaluation.errors import EvaluationError, NoLabelsError
from inference.cnn.evaluation.figures import auc, interval
from inference.cnn.networks import Network
from inference.cnn.slices.classifier import load_classifier, probabilities
from inference.cnn.slices.dataset import (
    CLASSES,
    IntArray,
    Slices,
    balanced_accuracy,
    dealt,
    dealt_at_random,
    read_slices,
    read_table,
)

THUMBNAIL = 16
RANDOM_FOLDS = 5
ROUNDS = 1000


def figures(data: Path, split: str = "val", network: Network | None = None) -> dict[str, Any]:
    """Figures of one split by the shipped network (or another one).

    The shipped network was trained on the train split: only `val`, and folders that it has never seen, are
    held out. `cross_validation` repeats what the manifest says of five folds over all groups.

    Raises
    ------
    NoLabelsError : the table has no labels that are known, or the split has no pictures.
    """
    try:
        table = read_table(data)
    except (ValueError, KeyError) as error:
        raise NoLabelsError(str(error)) from error
    index = table.where(split)
    if not len(index):
        raise EvaluationError(f"The split {split!r} has no pictures; there are: {sorted(set(table.split))}.")
    chosen = network or load_classifier()
    part = read_slices(data, split)
    told = probabilities(chosen(part.features))
    found = {**figures_of(part, told), **lessons(table, index)}
    if "cross_validation" in chosen.manifest:
        found["cross_validation"] = chosen.manifest["cross_validation"]
        found["folds"] = chosen.manifest["cross_validation"]["folds"]
    return found


def figures_of(slices: Slices, told: NDArray[np.float32]) -> dict[str, Any]:
    """Balanced accuracy with its interval over groups, confusion (rows: truth), and AUC of each class."""
    said = told.argmax(axis=1)
    low, high = interval(
        slices.group, lambda rows: balanced_accuracy(slices.label[rows], said[rows]), rounds=ROUNDS
    )
    areas = {name: auc(told[:, c], slices.label == c) for c, name in enumerate(CLASSES)}
    return {
        "classes": list(CLASSES),
        "balanced_accuracy": balanced_accuracy(slices.label, said),
        "balanced_accuracy_ci95": [low, high],
        "recall": {name: _recall(slices.label, said, c) for c, name in enumerate(CLASSES)},
        "confusion": confusion(slices.label, said),
        "auc": areas,
        "auc_macro": float(np.nanmean(list(areas.values()))),
        "n_images": len(slices),
        "n_groups": len(set(slices.group)),
    }


def confusion(label: IntArray, said: IntArray) -> list[list[int]]:
    """Counts, rows by truth and columns by what was said."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(counts, (label, said), 1)
    return [[int(v) for v in row] for row in counts]


def _recall(label: IntArray, said: IntArray, number: int) -> float | None:
    of_class = label == number
    return float(np.mean(said[of_class] == number)) if of_class.any() else None


def lessons(slices: Slices, index: IntArray) -> dict[str, Any]:
    """Nearest neighbour among 16 x 16 thumbnails: from other groups, and with groups torn apart."""
    small = thumbnails(slices.path)
    pictures = dealt_at_random(slices, RANDOM_FOLDS)
    torn = nearest(small, slices.label, [(pictures != k, pictures == k) for k in range(RANDOM_FOLDS)])
    rest = np.setdiff1d(np.arange(len(slices)), index)
    if len(rest):
        within = np.isin(np.arange(len(slices)), index)
        said, truth = nearest(small, slices.label, [(~within, within)])[index], slices.label[index]
    else:
        groups = dealt(slices, RANDOM_FOLDS)
        said = nearest(small, slices.label, [(groups != k, groups == k) for k in range(RANDOM_FOLDS)])
        truth = slices.label
    return {
        "nearest_neighbour_balanced_accuracy": balanced_accuracy(truth, said),
        "random_split_balanced_accuracy": balanced_accuracy(slices.label, torn),
    }


def thumbnails(paths: Sequence[Path]) -> NDArray[np.float32]:
    """(n, 256) grey levels of 16 x 16 thumbnails."""
    small = [Image.open(p).convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX) for p in paths]
    return np.stack([np.asarray(one, np.float32).ravel() for one in small])


def nearest(
    small: NDArray[np.float32],
    label: IntArray,
    parts: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
) -> IntArray:
    """Class of the nearest thumbnail among those that may be looked at; parts are (known, asked)."""
    said = np.zeros(len(small), int)
    for known, asked in parts:
        a, b = small[asked], small[known]
        distance = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
        said[asked] = label[known][distance.argmin(axis=1)]
    return said
