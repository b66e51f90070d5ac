"""A small folder in the layout of the LIDC crops, made of balls in air: written as the real one is."""

from __future__ import annotations

import csv
import lzma
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SLICES, SIDE, SPACING_MM = 7, 64, (1.25, 0.7, 0.7)
COLUMNS = (
    "nodule_id", "patient_id", "shard", "first", "n_slices", "spacing_z", "spacing_y", "spacing_x",
    "z_first_mm", "row0_in_512", "col0_in_512", "series_uid", "n_readers", "reader_bits", "reader_sessions",
    "malignancy_0", "malignancy_1", "malignancy_2", "malignancy_3", "malignancy_mean", "a_new_column",
)  # fmt: skip


def ball(radius_mm: float) -> NDArray[np.bool_]:
    """A ball in the middle of a stack."""
    middle = np.array([SLICES // 2, SIDE // 2, SIDE // 2])[:, None, None, None]
    gaps = (np.indices((SLICES, SIDE, SIDE)) - middle) * np.array(SPACING_MM)[:, None, None, None]
    return np.asarray(np.sqrt((gaps**2).sum(axis=0)) <= radius_mm)


def written(folder: Path, split: str, radii_mm: list[float], ratings: list[str]) -> Path:
    """Nodules of three readers, one patient each, in one shard; `ratings` as they stand in the list."""
    folder.mkdir(parents=True, exist_ok=True)
    hu8, bits, rows = [], [], []
    for number, (radius, rating) in enumerate(zip(radii_mm, ratings, strict=True)):
        inside = ball(radius)
        hu8.append(np.where(inside, (30 + 1024) // 8, (-860 + 1024) // 8).astype(np.uint8))
        bits.append(sum(ball(radius + off).astype(np.uint8) << bit for bit, off in enumerate((0, 0, 0.8))))
        rows.append(_row(split, number, rating))
    _packed(folder / f"{split}_00_hu8.npy.xz", np.diff(np.concatenate(hu8), axis=-1, prepend=np.uint8(0)))
    _packed(folder / f"{split}_00_readers.npy.xz", np.concatenate(bits).astype(np.uint8))
    with (folder / f"{split}_nodules.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def _packed(path: Path, values: NDArray[np.uint8]) -> None:
    with lzma.open(path, "wb") as stream:
        np.save(stream, values.astype(np.uint8))


def _row(split: str, number: int, rating: str) -> dict[str, str]:
    z, y, x = (str(s) for s in SPACING_MM)
    return {
        "nodule_id": f"P{number}_n0", "patient_id": f"P{number}", "shard": f"{split}_00",
        "first": str(number * SLICES), "n_slices": str(SLICES),
        "spacing_z": z, "spacing_y": y, "spacing_x": x,
        "z_first_mm": "0", "row0_in_512": "100", "col0_in_512": "100", "series_uid": f"1.2.{number}",
        "n_readers": "3", "reader_bits": "12", "reader_sessions": "12",
        "malignancy_0": rating, "malignancy_1": rating, "malignancy_2": rating, "malignancy_mean": rating,
    }  # fmt: skip
