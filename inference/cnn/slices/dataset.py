"""IQ-OTH/NCCD: single slices by class, with the groups that must stay together."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.cnn.slices.features import picture_features

CLASSES = ("normal", "benign", "malignant")
FOLDER = "iq-oth-nccd"
TABLE = "images.csv"

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Slices:
    """Features (n, 42), class numbers, groups and splits of n pictures, in the order of the table."""

    features: NDArray[np.float32]
    label: IntArray
    group: tuple[str, ...]
    split: tuple[str, ...]
    path: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.label)

    def where(self, split: str) -> IntArray:
        """Rows of one split, or of all."""
        if split == "all":
            return np.arange(len(self))
        return np.flatnonzero(np.array(self.split) == split)

    @property
    def weight(self) -> NDArray[np.float64]:
        """Chance of being drawn: classes alike, and within a class each group by the root of its size."""
        chance = np.zeros(len(self))
        pairs = list(zip(self.label.tolist(), self.group, strict=True))
        counted = {pair: pairs.count(pair) for pair in set(pairs)}
        for row, pair in enumerate(pairs):
            chance[row] = counted[pair] ** -0.5
        for number in range(len(CLASSES)):
            chance[self.label == number] /= max(chance[self.label == number].sum(), 1e-9)
        return np.asarray(chance / chance.sum())

    def rows(self, index: IntArray) -> Slices:
        """The pictures with these row numbers."""
        return Slices(
            self.features[index],
            self.label[index],
            tuple(self.group[i] for i in index),
            tuple(self.split[i] for i in index),
            tuple(self.path[i] for i in index),
        )


def folder_of(data: Path) -> Path:
    """The folder with the table: the one given, or `iq-oth-nccd` in it.

    Raises
    ------
    FileNotFoundError : neither holds `images.csv`.
    """
    for folder in (data, data / FOLDER):
        if (folder / TABLE).is_file():
            return folder
    raise FileNotFoundError(2, "There is no table of labelled slices", str(data / FOLDER / TABLE))


def read_table(data: Path) -> Slices:
    """Every picture of the table, without features.

    Raises
    ------
    FileNotFoundError : there is no table.
    ValueError : the table has no labels, or others than normal, benign and malignant.
    """
    folder = folder_of(data)
    with (folder / TABLE).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    labels = {row.get("label") or "" for row in rows}
    if not rows or not labels <= set(CLASSES):
        raise ValueError(f"{TABLE} needs a column label with {', '.join(CLASSES)}; it has: {sorted(labels)}.")
    return Slices(
        np.zeros((len(rows), 0), np.float32),
        np.array([CLASSES.index(row["label"]) for row in rows]),
        tuple(row.get("group") or row["file"] for row in rows),
        tuple(row.get("split") or "val" for row in rows),
        tuple(folder / row["file"] for row in rows),
    )


@lru_cache(maxsize=4)
def read_slices(data: Path, split: str = "all") -> Slices:
    """The pictures of one split with their features; about 20 s for a thousand pictures.

    Raises
    ------
    FileNotFoundError, ValueError : as `read_table`.
    """
    table = read_table(data)
    part = table.rows(table.where(split))
    features = [picture_features(np.asarray(Image.open(path).convert("L"))) for path in part.path]
    return replace(part, features=np.stack(features) if features else part.features)


def dealt(slices: Slices, of: int) -> IntArray:
    """Fold number of each picture: whole groups, the largest first, each to the fold poorest in its class."""
    fold, load = np.zeros(len(slices), int), np.zeros((of, len(CLASSES)))
    names = np.array(slices.group)
    for name in sorted(set(slices.group), key=lambda g: (-slices.group.count(g), g)):
        rows = names == name
        counts = np.bincount(slices.label[rows], minlength=len(CLASSES))
        number = int(np.argmin(load[:, counts.argmax()]))
        load[number] += counts
        fold[rows] = number
    return fold


def dealt_at_random(slices: Slices, of: int, seed: int = 0) -> IntArray:
    """Fold numbers picture by picture, groups torn apart: what must not be done, kept for the comparison."""
    return np.random.default_rng(seed).permutation(len(slices)) % of


def balanced_accuracy(label: Sequence[int] | IntArray, told: Sequence[int] | IntArray) -> float:
    """Mean over the classes present of the share that is told rightly."""
    truth, said = np.asarray(label), np.asarray(told)
    return float(np.mean([np.mean(said[truth == c] == c) for c in np.unique(truth)]))
