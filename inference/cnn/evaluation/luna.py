"""The FROC program of LUNA16: marks, annotations and exclusions as tables, seven sensitivities out.

Rules (Setio et al., Medical Image Analysis 42:1-13, 2017): a mark within the radius of a nodule hits it; the
best mark of each nodule counts, its further hits do not; marks on excluded findings count neither way.
"""

from __future__ import annotations

import csv
import io
import lzma
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.cnn.evaluation.errors import EvaluationError
from inference.cnn.evaluation.froc import Marks

UNKNOWN_DIAMETER_MM = 10.0

FloatArray = NDArray[np.float64]
Table = Mapping[str, FloatArray]


@dataclass(frozen=True)
class FrocFiles:
    """Where the tables are; without `scans` every scan that has an annotation, an exclusion or a mark."""

    marks: Path
    annotations: Path
    exclusions: Path | None = None
    scans: Path | None = None


def named_in(folder: Path) -> FrocFiles:
    """The tables of a folder by LUNA16's names, plain or as .xz."""
    inner = folder / "luna16" if (folder / "luna16").is_dir() else folder
    return FrocFiles(
        marks=_one(inner, "*marks*.csv*"),
        annotations=_one(inner, "annotations.csv*"),
        exclusions=_perhaps(inner, "annotations_excluded.csv*"),
        scans=_perhaps(inner, "seriesuids.csv*"),
    )


def _perhaps(folder: Path, pattern: str) -> Path | None:
    return next(iter(sorted(folder.glob(pattern))), None)


def _one(folder: Path, pattern: str) -> Path:
    found = _perhaps(folder, pattern)
    if found is None:
        raise EvaluationError(f"{folder} holds no file {pattern}; name it with --marks and --annotations.")
    return found


def _text(path: Path) -> str:
    try:
        stored = path.read_bytes()
        content = lzma.decompress(stored) if path.suffix == ".xz" else stored
    except (OSError, lzma.LZMAError) as error:
        raise EvaluationError(f"{path} cannot be read: {error}.") from error
    return content.decode("utf-8-sig")


def table(path: Path, last: str) -> dict[str, FloatArray]:
    """Rows (x, y, z, value of the column `last`) by series, mm in LPS."""
    rows = csv.DictReader(io.StringIO(_text(path)))
    names = {name.strip().lower(): name for name in rows.fieldnames or []}
    wanted = ["seriesuid", "coordx", "coordy", "coordz", last.lower()]
    missing = [w for w in wanted if w not in names]
    if missing:
        raise EvaluationError(f"{path.name} lacks the columns {', '.join(missing)}.")
    by_series: dict[str, list[list[float]]] = defaultdict(list)
    for number, row in enumerate(rows, start=2):
        try:
            by_series[row[names["seriesuid"]]].append([float(row[names[w]]) for w in wanted[1:]])
        except (TypeError, ValueError) as error:
            raise EvaluationError(
                f"{path.name}, line {number}: a coordinate or value is no number."
            ) from error
    return {uid: np.asarray(values, float) for uid, values in by_series.items()}


def _series(path: Path | None, tables: Iterable[Table]) -> list[str]:
    if path is None:
        return sorted({uid for one in tables for uid in one})
    lines = (line.strip() for line in _text(path).splitlines())
    return [line for line in lines if line and not line.lower().startswith("seriesuid")]


def _within(marks: FloatArray, finding: FloatArray) -> NDArray[np.bool_]:
    diameter = finding[3] if finding[3] > 0 else UNKNOWN_DIAMETER_MM
    squared = ((marks[:, :3] - finding[:3]) ** 2).sum(axis=1)
    return np.asarray(squared < (diameter / 2) ** 2)


def _scored(marks: FloatArray, nodules: FloatArray, excluded: FloatArray) -> tuple[list[float], FloatArray]:
    """Scores of the nodules that were hit, and of the false positives, in one scan."""
    free, hits = np.ones(len(marks), bool), []
    for nodule in nodules:
        on = _within(marks, nodule)
        free &= ~on
        if on.any():
            hits.append(float(marks[on, 3].max()))
    for finding in excluded:
        free &= ~_within(marks, finding)
    return hits, marks[free, 3]


def matched(files: FrocFiles) -> Marks:
    """The marks that count, scan by scan."""
    marks, nodules = table(files.marks, "probability"), table(files.annotations, "diameter_mm")
    excluded = table(files.exclusions, "diameter_mm") if files.exclusions else {}
    series, none = _series(files.scans, (marks, nodules, excluded)), np.zeros((0, 4))
    if not any(uid in nodules for uid in series):
        raise EvaluationError(
            "None of the scans has an annotated nodule; are marks and annotations of one set?"
        )
    score, hit, group = [], [], []
    for number, uid in enumerate(series):
        hits, alarms = _scored(marks.get(uid, none), nodules.get(uid, none), excluded.get(uid, none))
        score += [*hits, *alarms]
        hit += [True] * len(hits) + [False] * len(alarms)
        group += [number] * (len(hits) + len(alarms))
    counts = np.array([len(nodules.get(uid, none)) for uid in series], float)
    return Marks(np.array(score), np.array(hit, bool), np.array(group, int), counts, np.ones(len(series)))
