"""Whole scans: at which rank known lesions stand, and what was found that nobody marked."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.cnn.evaluation.chosen import Chosen
from inference.cnn.evaluation.errors import EvaluationError, NoLabelsError
from inference.cnn.evaluation.nodules import folder_of
from inference.cnn.read import read_volume
from inference.cnn.reading import FoundNodule, VolumeReading
from inference.cnn.training.whole import NEVER_TRAINED_ON, Lesion, WholeScan, whole_scans
from scans.dicom.geometry import Geometry

NEAREST_MM = 3.0
MARKED_WITHIN_MM = 5.0


@dataclass(frozen=True)
class Read:
    """A scan with its reading, and whether the shipped networks were trained on it."""

    scan: WholeScan
    reading: VolumeReading
    seconds: float
    trained_on: bool

    @property
    def unmarked(self) -> list[tuple[int, FoundNodule]]:
        """(rank, finding) of what lies on no mark of any kind."""
        numbered = enumerate(self.reading.findings, 1)
        return [(rank, f) for rank, f in numbered if not any(near(f, m) for m in self.scan.lesions)]


def near(finding: FoundNodule, lesion: Lesion) -> bool:
    return _gap_mm(finding, lesion) <= max(lesion.diameter_mm / 2, MARKED_WITHIN_MM)


def _gap_mm(finding: FoundNodule, lesion: Lesion) -> float:
    return float(np.linalg.norm(np.subtract(finding.center_mm, lesion.xyz_mm)))


def whole_folder(data: Path) -> Path:
    """The folder above `whole/`."""
    folder = folder_of(data, "whole", "scans.csv")
    if folder.name != "whole":
        raise EvaluationError(f"The folder of whole scans must be called 'whole', not {folder.name!r}.")
    return folder.parent


def _splits(folder: Path, split: str) -> dict[str, str]:
    """Scan name to split, of the scans that are asked for."""
    with (folder / "whole" / "scans.csv").open(encoding="utf-8-sig") as stream:
        named = {row["name"]: row["split"] for row in csv.DictReader(stream)}
    return {name: own for name, own in named.items() if split in ("all", own)}


def _scans(folder: Path, splits: Sequence[str]) -> list[WholeScan]:
    return [scan for split in splits for scan in whole_scans(folder, split)]


def read_all(data: Path, split: str, networks: Chosen, *, limit: int | None = None) -> list[Read]:
    """Every scan of a split through `read_volume`; scans that are never trained on count as held out."""
    folder = whole_folder(data)
    names = _splits(folder, split)
    if not names:
        raise EvaluationError(f"No whole scan belongs to the split {split!r}.")
    scans = _scans(folder, sorted(set(names.values())))[:limit]
    if not any(scan.lesions for scan in scans):
        raise NoLabelsError(
            "No lesion is known in these scans (nodules.csv and seen.csv); nothing to measure."
        )
    return [_read(s, names[s.name] == "train" and s.name not in NEVER_TRAINED_ON, networks) for s in scans]


def _read(scan: WholeScan, trained_on: bool, networks: Chosen) -> Read:
    shape = (scan.hu.shape[0], scan.hu.shape[1], scan.hu.shape[2])
    start = time.perf_counter()
    reading = read_volume(scan.hu, Geometry(shape, scan.spacing_mm, scan.origin_mm), networks=networks.loaded)
    return Read(scan, reading, round(time.perf_counter() - start, 1), trained_on)


def _rank(reading: VolumeReading, lesion: Lesion) -> int | None:
    reach = max(lesion.diameter_mm / 2, NEAREST_MM)
    ranks = (r for r, f in enumerate(reading.findings, 1) if _gap_mm(f, lesion) <= reach)
    return next(ranks, None)


def readers_of(folder: Path) -> dict[tuple[str, str], str]:
    """How many readers marked a lesion, by scan and rounded x; from nodules.csv."""
    with (folder / "whole" / "nodules.csv").open(encoding="utf-8-sig") as stream:
        return {
            (r["name"], f"{float(r['x_mm']):.1f}"): r.get("readers") or "" for r in csv.DictReader(stream)
        }


def scan_figures(one: Read, readers: dict[tuple[str, str], str]) -> dict[str, Any]:
    """Ranks of the known nodules of one scan, and how many findings nobody marked."""
    known = [
        {
            "xyz_mm": list(m.xyz_mm),
            "diameter_mm": m.diameter_mm,
            "readers": readers.get((one.scan.name, f"{m.xyz_mm[0]:.1f}"), "seen by eye"),
            "rank": _rank(one.reading, m),
        }
        for m in one.scan.lesions
        if m.kind == "nodule"
    ]
    return {
        "trained_on": one.trained_on,
        "findings": len(one.reading.findings),
        "unmarked": len(one.unmarked),
        "known": known,
        "p_nodule": [round(f.p_nodule, 3) for f in one.reading.findings],
        "scan_probability": one.reading.scan_probability,
        "seconds": one.seconds,
    }


def whole_figures(data: Path, read: Sequence[Read]) -> dict[str, Any]:
    """Figures by scan; medians over all scans and over those that were never trained on."""
    readers = readers_of(whole_folder(data))
    held_out = [len(r.unmarked) for r in read if not r.trained_on]
    return {
        "n_scans": len(read),
        "unmarked_median": float(np.median([len(r.unmarked) for r in read])),
        "unmarked_median_held_out": float(np.median(held_out)) if held_out else float("nan"),
        "scans": {r.scan.name: scan_figures(r, readers) for r in read},
    }
