"""LUNA16 as published: `subset*/UID.mhd` with `.raw`, `annotations.csv`, `candidates_V2.csv`, lung masks.

Setio et al., Medical Image Analysis 42:1-13, 2017. Positions are world mm, LPS.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.cnn.data.metaimage import read_metaimage
from inference.cnn.data.voxels import OpenedVolume
from scans.dicom.geometry import Geometry, Triple
from scans.dicom.refusal import Refused

CANDIDATES = ("candidates_V2.csv", "candidates.csv")
LUNG_MASKS = ("seg-lungs-LUNA16", "seg-lungs")
# Values of the published masks: 3 and 4 are the lungs, 5 is the windpipe.
LUNG_VALUES = (3, 4)


@dataclass(frozen=True)
class Nodule:
    center_mm: Triple
    diameter_mm: float


@dataclass(frozen=True)
class LunaCandidate:
    center_mm: Triple
    is_nodule: bool


@dataclass(frozen=True)
class LunaScan:
    """One scan and what is listed for it.

    LUNA16 names no patients; `patient_id` is the series, so that a patient with two scans (LIDC-IDRI has
    eight) counts as two unless a table says otherwise.
    """

    series_instance_uid: str
    header: Path
    nodules: tuple[Nodule, ...]
    candidates: tuple[LunaCandidate, ...]
    lung_mask: Path | None

    @property
    def patient_id(self) -> str:
        return self.series_instance_uid

    def read(self) -> OpenedVolume:
        return read_metaimage(self.header)

    def lungs(self) -> NDArray[np.bool_] | None:
        """Both lungs without the windpipe, bool (z, y, x), where the masks are at hand."""
        if self.lung_mask is None:
            return None
        return np.isin(read_metaimage(self.lung_mask).hu, LUNG_VALUES)


def luna16_scans(folder: Path) -> Iterator[LunaScan]:
    """The scans below `folder`, by their identifiers; a scan without a nodule is one, too.

    Raises
    ------
    Refused : no annotations, or a table without the columns of LUNA16.
    """
    nodules = _by_series(folder / "annotations.csv", "diameter_mm")
    listed = next((folder / name for name in CANDIDATES if (folder / name).is_file()), None)
    candidates = _by_series(listed, "class") if listed else {}
    for header in sorted(folder.glob("subset*/*.mhd"), key=lambda path: path.stem):
        uid = header.stem
        yield LunaScan(
            uid,
            header,
            tuple(Nodule(place, value) for place, value in nodules.get(uid, [])),
            tuple(LunaCandidate(place, value == 1) for place, value in candidates.get(uid, [])),
            next((m for f in LUNG_MASKS if (m := folder / f / header.name).is_file()), None),
        )


def _by_series(path: Path, column: str) -> dict[str, list[tuple[Triple, float]]]:
    if not path.is_file():
        raise Refused("NO_LABELS", f"{path.name} is not in {path.parent.name}. It comes with LUNA16.")
    found: dict[str, list[tuple[Triple, float]]] = {}
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            try:
                place = (float(row["coordX"]), float(row["coordY"]), float(row["coordZ"]))
                found.setdefault(row["seriesuid"], []).append((place, float(row[column])))
            except (KeyError, ValueError) as error:
                told = f"{path.name} needs the columns seriesuid, coordX, coordY, coordZ and {column}."
                raise Refused("NOT_LUNA16", told) from error
    return found


def ball(
    geometry: Geometry, nodule: Nodule, start: NDArray[np.intp], shape: tuple[int, int, int]
) -> NDArray[np.bool_]:
    """Voxels of a part of the scan (first voxel `start`, z, y, x) within the listed diameter."""
    z, y, x = np.ogrid[tuple(slice(int(s), int(s) + n) for s, n in zip(start, shape, strict=True))]
    squared = np.zeros(shape)
    for to_x, to_y, to_z, at, middle in zip(*geometry.affine[:3].T, nodule.center_mm, strict=True):
        squared = squared + (x * to_x + y * to_y + z * to_z + (at - middle)) ** 2
    return np.asarray(squared <= (nodule.diameter_mm / 2) ** 2)
