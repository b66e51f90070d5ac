"""Whole chest CT volumes with lung masks and the lesions known in them, as stored in `whole/`."""

from __future__ import annotations

import csv
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.cnn.resampling import isotropic
from scans.dicom.geometry import Triple

# lung-dx-a0002 is an acceptance test in its DICOM form; ricord-001012 is not free for commercial use.
NEVER_TRAINED_ON = frozenset({"lung-dx-a0002", "ricord-001012", "lidc-0003"})


@dataclass(frozen=True)
class Lesion:
    """A marked place: `kind` is nodule, small (below 3 mm) or other (a non-nodule)."""

    xyz_mm: Triple
    diameter_mm: float
    kind: str


@dataclass(frozen=True)
class WholeScan:
    name: str
    hu: NDArray[np.int16]
    lungs: NDArray[np.bool_]
    spacing_mm: Triple
    origin_mm: Triple
    lesions: tuple[Lesion, ...]

    def index(self, lesion: Lesion) -> NDArray[np.float64]:
        """Fractional z, y, x of a lesion."""
        zyx = np.asarray(lesion.xyz_mm[::-1]) - np.asarray(self.origin_mm[::-1])
        return np.asarray(zyx / np.asarray(self.spacing_mm), np.float64)

    def at(self, step_mm: float) -> WholeScan:
        """The same scan on an isotropic grid."""
        hu = isotropic(self.hu, self.spacing_mm, step_mm)
        lungs = isotropic(self.lungs, self.spacing_mm, step_mm) > 0.5
        step = (step_mm, step_mm, step_mm)
        return WholeScan(self.name, np.rint(hu).astype(np.int16), lungs, step, self.origin_mm, self.lesions)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def _array(path: Path) -> NDArray[np.uint8]:
    with lzma.open(path) as stream:
        values: NDArray[np.uint8] = np.load(stream)
    return values


def _kind(row: dict[str, str]) -> str:
    names = {"nodule<3mm": "small", "not-a-nodule": "other"}
    return names.get(row.get("kind", ""), "nodule")


def _lesions(folder: Path, name: str) -> tuple[Lesion, ...]:
    rows = [r for f in ("nodules.csv", "seen.csv") for r in _rows(folder / f) if r["name"] == name]
    return tuple(
        Lesion((float(r["x_mm"]), float(r["y_mm"]), float(r["z_mm"])), float(r["diameter_mm"] or 3), _kind(r))
        for r in rows
    )


def _scan(folder: Path, row: dict[str, str]) -> WholeScan:
    shape = (int(row["nz"]), int(row["ny"]), int(row["nx"]))
    hu8 = np.cumsum(_array(folder / f"{row['name']}_hu8.npy.xz"), axis=-1, dtype=np.uint8)
    bits = np.unpackbits(_array(folder / f"{row['name']}_lungs.npy.xz"))
    return WholeScan(
        name=row["name"],
        hu=hu8.astype(np.int16) * 8 - 1024,
        lungs=bits[: int(np.prod(shape))].reshape(shape).astype(bool),
        spacing_mm=(float(row["spacing_z"]), float(row["spacing_y"]), float(row["spacing_x"])),
        origin_mm=(float(row["origin_x"]), float(row["origin_y"]), float(row["origin_z"])),
        lesions=_lesions(folder, row["name"]),
    )


def whole_scans(data: Path, split: str) -> list[WholeScan]:
    """The scans of one split; those that must never be trained on are left out of `train`."""
    folder = data / "whole"
    rows = [r for r in _rows(folder / "scans.csv") if r["split"] == split]
    return [_scan(folder, r) for r in rows if split != "train" or r["name"] not in NEVER_TRAINED_ON]
