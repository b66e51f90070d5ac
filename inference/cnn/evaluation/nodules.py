"""Nodules to evaluate on, in the layout of LIDC's crops; takes splits and columns that it has never seen."""

from __future__ import annotations

import csv
import lzma
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.cnn.evaluation.errors import EvaluationError, NoLabelsError
from inference.cnn.training.lidc import LidcNodule

Mask = NDArray[np.bool_]
Row = dict[str, str]


@dataclass(frozen=True)
class Place:
    """Where a crop lies in its series: 512 x 512 row and column of its first pixel, z of its first slice."""

    series: str
    z_mm: float
    row: float
    column: float


@dataclass(frozen=True)
class Case:
    """A nodule with its place (None where the list does not tell it) and the split that it came from."""

    nodule: LidcNodule
    split: str
    place: Place | None

    @cached_property
    def consensus(self) -> Mask:
        """Voxels that at least half of the readers outlined."""
        return np.asarray(self.nodule.votes >= 0.5)

    @property
    def readers(self) -> int:
        return len(self.nodule.masks)

    @property
    def malignancy(self) -> float | None:
        """Mean rating, None where nobody rated."""
        return float(np.mean(self.nodule.malignancy)) if self.nodule.malignancy else None

    @cached_property
    def center(self) -> NDArray[np.float64]:
        """Centre of the consensus (of all outlines where it is empty), voxels z, y, x of the crop."""
        inside = self.consensus if self.consensus.any() else self.nodule.votes > 0
        return np.asarray(np.argwhere(inside).mean(axis=0))


def folder_of(data: Path, name: str, pattern: str) -> Path:
    """The folder that holds `pattern`: `data` itself, or the one called `name` within it."""
    for folder in (data, data / name):
        if any(folder.glob(pattern)):
            return folder
    raise EvaluationError(f"Neither {data} nor {data / name} holds a file {pattern}.")


def splits_of(folder: Path, split: str) -> list[str]:
    """The splits that `split` means: itself, or for `all` each one that has a list."""
    there = sorted(p.name.removesuffix("_nodules.csv") for p in folder.glob("*_nodules.csv"))
    if split == "all":
        return there
    if split not in there:
        raise EvaluationError(f"{folder} has no split {split!r}; there are: {', '.join(there)}, all.")
    return [split]


def cases(data: Path, split: str, limit: int | None = None) -> list[Case]:
    """The nodules of a split that have pixels and an outline; NoLabelsError where there is none."""
    folder = folder_of(data, "lidc", "*_nodules.csv")
    found = [c for name in splits_of(folder, split) for c in _of_split(folder, name, limit)]
    if not found:
        raise NoLabelsError(
            f"No nodule of the split {split!r} in {folder} has both pixels and a reader's outline "
            "(*_hu8.npy.xz and *_readers.npy.xz); nothing can be measured."
        )
    return found[:limit]


def _of_split(folder: Path, split: str, limit: int | None) -> list[Case]:
    with (folder / f"{split}_nodules.csv").open(encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))[:limit]
    shards: dict[str, NDArray[np.uint8] | None] = {}
    made = (_told_case(folder, row, split, shards, line) for line, row in enumerate(rows, start=2))
    return [case for case in made if case is not None]


def _told_case(
    folder: Path, row: Row, split: str, shards: dict[str, NDArray[np.uint8] | None], line: int
) -> Case | None:
    """`_case`, with the line of the list in the error."""
    try:
        return _case(folder, row, split, shards)
    except (KeyError, ValueError, IndexError) as error:
        raise EvaluationError(
            f"{split}_nodules.csv, line {line}: {error!r}; shard, first, n_slices, patient_id and the three "
            "spacings must be given, and lie within the shard."
        ) from error


def _array(path: Path, shards: dict[str, NDArray[np.uint8] | None]) -> NDArray[np.uint8] | None:
    """A shard, None where its file is missing; hu8 is stored as differences along x."""
    if path.name not in shards:
        if path.is_file():
            with lzma.open(path) as stream:
                values = np.load(stream)
            delta = path.name.endswith("_hu8.npy.xz")
            shards[path.name] = np.cumsum(values, axis=-1, dtype=np.uint8) if delta else values
        else:
            shards[path.name] = None
    return shards[path.name]


def _case(folder: Path, row: Row, split: str, shards: dict[str, NDArray[np.uint8] | None]) -> Case | None:
    hu8 = _array(folder / f"{row['shard']}_hu8.npy.xz", shards)
    bits = _array(folder / f"{row['shard']}_readers.npy.xz", shards)
    if hu8 is None or bits is None:
        return None
    span = slice(int(row["first"]), int(row["first"]) + int(row["n_slices"]))
    masks = _masks(row, bits[span])
    if not any(mask.any() for mask in masks):
        return None
    return Case(_nodule(row, hu8[span], masks), split, _place(row))


def _nodule(row: Row, hu8: NDArray[np.uint8], masks: tuple[Mask, ...]) -> LidcNodule:
    spacing = (float(row["spacing_z"]), float(row["spacing_y"]), float(row["spacing_x"]))
    volume = float(np.mean([m.sum() for m in masks])) * float(np.prod(spacing))
    equal = (6 * volume / np.pi) ** (1 / 3)
    return LidcNodule(
        nodule_id=row.get("nodule_id") or f"{row['shard']}_{row['first']}",
        patient_id=row["patient_id"],
        hu=hu8.astype(np.int16) * 8 - 1024,
        masks=masks,
        spacing_mm=spacing,
        malignancy=_ratings(row, "malignancy"),
        texture=_ratings(row, "texture"),
        diameter_mm=_number(row, "diam_eq_mm", equal),
        longest_mm=_number(row, "diam_max_mm", equal),
        cut=_number(row, "cut_by_64", 0.0) == 1,
    )


def _number(row: Row, name: str, otherwise: float) -> float:
    return float(row[name]) if row.get(name) else otherwise


def _ratings(row: Row, name: str) -> tuple[float, ...]:
    """Each reader's rating; the mean alone where the single ones are not given; none where nobody rated."""
    single = tuple(float(v) for j in range(4) if (v := row.get(f"{name}_{j}")))
    mean = row.get(f"{name}_mean")
    return single or ((float(mean),) if mean else ())


def _masks(row: Row, bits: NDArray[np.uint8]) -> tuple[Mask, ...]:
    """One mask per reading session (the same digit twice is one reader's nodule in two pieces).

    Digits that a spreadsheet took for a number have lost a leading zero; the count of readers restores it.
    """
    count = int(_number(row, "n_readers", 0))
    used = (row.get("reader_bits") or "").split(".")[0].zfill(count)
    if not used:
        used = "".join(str(j) for j in range(4) if ((bits >> j) & 1).any())
    sessions = (row.get("reader_sessions") or "").split(".")[0].zfill(len(used))
    names = sessions if len(sessions) == len(used) and row.get("reader_sessions") else used
    joined: dict[str, Mask] = {}
    for bit, name in zip(used, names, strict=True):
        mask = ((bits >> int(bit)) & 1).astype(bool)
        joined[name] = joined[name] | mask if name in joined else mask
    return tuple(joined.values())


def _place(row: Row) -> Place | None:
    needed = ("z_first_mm", "row0_in_512", "col0_in_512")
    if not all(row.get(name) for name in needed):
        return None
    z, first_row, first_column = (float(row[name]) for name in needed)
    return Place(row.get("series_uid") or row["patient_id"], z, first_row, first_column)
