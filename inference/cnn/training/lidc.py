"""Nodules of LIDC-IDRI with their readers' outlines and ratings, as stored in `lidc/`."""

from __future__ import annotations

import csv
import lzma
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scans.dicom.geometry import Triple

# Our name of a trait, and the column it is rated in.
TRAITS = {
    "spiculation": "spiculation",
    "lobulation": "lobulation",
    "margin": "margin",
    "sphericity": "sphericity",
    "subtlety": "subtlety",
    "texture": "texture",
    "calcified": "calcification",
}


@dataclass(frozen=True)
class LidcNodule:
    """One nodule: native pixels of the slices that some reader outlined.

    `masks` holds one bool (z, y, x) per reader; pieces that one reader drew apart are united.
    """

    nodule_id: str
    patient_id: str
    hu: NDArray[np.int16]
    masks: tuple[NDArray[np.bool_], ...]
    spacing_mm: Triple
    malignancy: tuple[float, ...]
    texture: tuple[float, ...]
    diameter_mm: float
    longest_mm: float
    cut: bool
    traits: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def votes(self) -> NDArray[np.float32]:
        """Share of the readers who outlined the nodule that include each voxel."""
        return np.asarray(np.mean(self.masks, axis=0), np.float32)


@lru_cache(maxsize=16)
def _load(path: Path, delta: bool) -> NDArray[np.uint8]:
    with lzma.open(path) as stream:
        values = np.load(stream)
    return np.cumsum(values, axis=-1, dtype=np.uint8) if delta else values


def _ratings(row: dict[str, str], name: str) -> tuple[float, ...]:
    return tuple(float(row[key]) for j in range(4) if row.get(key := f"{name}_{j}"))


def _masks(row: dict[str, str], bits: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], ...]:
    """One mask per reading session: the same digit twice is one reader's nodule in two pieces."""
    joined: dict[str, NDArray[np.bool_]] = {}
    for bit, session in zip(row["reader_bits"], row["reader_sessions"], strict=True):
        mask = ((bits >> int(bit)) & 1).astype(bool)
        joined[session] = joined[session] | mask if session in joined else mask
    return tuple(joined.values())


def _nodule(folder: Path, row: dict[str, str]) -> LidcNodule:
    span = slice(int(row["first"]), int(row["first"]) + int(row["n_slices"]))
    hu8 = _load(folder / f"{row['shard']}_hu8.npy.xz", True)[span]
    bits = _load(folder / f"{row['shard']}_readers.npy.xz", False)[span]
    return LidcNodule(
        nodule_id=row["nodule_id"],
        patient_id=row["patient_id"],
        hu=hu8.astype(np.int16) * 8 - 1024,
        masks=_masks(row, bits),
        spacing_mm=(float(row["spacing_z"]), float(row["spacing_y"]), float(row["spacing_x"])),
        malignancy=_ratings(row, "malignancy"),
        texture=_ratings(row, "texture"),
        diameter_mm=float(row["diam_eq_mm"]),
        longest_mm=float(row["diam_max_mm"]),
        cut=row["cut_by_64"] == "1",
        traits={ours: _ratings(row, theirs) for ours, theirs in TRAITS.items()},
    )


def lidc_nodules(data: Path, split: str) -> list[LidcNodule]:
    """All nodules of one split, in the order of the list."""
    folder = data / "lidc"
    with (folder / f"{split}_nodules.csv").open() as stream:
        return [_nodule(folder, row) for row in csv.DictReader(stream)]
