"""False-positive reduction: the patches of LUNA16 in 2D, and the second look in 3D on val scans."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.cnn.candidates import Limits, find_candidates, patch_at
from inference.cnn.evaluation.chosen import Chosen
from inference.cnn.evaluation.errors import NoLabelsError
from inference.cnn.evaluation.figures import auc, interval, sensitivity_at
from inference.cnn.evaluation.nodules import folder_of
from inference.cnn.preprocessing import REDUCTION_PATCH, REDUCTION_STEP_MM, reduction_input
from inference.cnn.reduction import mirrored_mean
from inference.cnn.training.bank import implants
from inference.cnn.training.sampler import Host, Sampler
from inference.cnn.training.whole import WholeScan, whole_scans

PATCH_PX = 50
AWAY_MM = 20.0

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Patches:
    """Grey images (n, 50, 50), 1 for a nodule, and what belongs together (slices of one place)."""

    images: Bytes
    label: NDArray[np.bool_]
    group: tuple[str, ...]


def patches(data: Path, split: str, limit: int | None = None) -> Patches:
    """The patches of one split, or of all; NoLabelsError where none has a label."""
    folder = folder_of(data, "luna16", "patches.csv")
    with (folder / "patches.csv").open(encoding="utf-8-sig") as stream:
        rows = [r for r in csv.DictReader(stream) if split in ("all", r.get("split") or split)]
    rows = [r for r in rows if r.get("label") in ("0", "1")][:limit]
    if len({r["label"] for r in rows}) < 2:
        raise NoLabelsError(
            f"The split {split!r} of {folder} has no patches of both labels; nothing to measure."
        )
    with zipfile.ZipFile(folder / "patches.zip") as archive:
        images = [_grey(archive.read(row["file"])) for row in rows]
    label = np.array([row["label"] == "1" for row in rows])
    return Patches(np.stack(images), label, tuple(row.get("group") or row["file"] for row in rows))


def _grey(content: bytes) -> Bytes:
    image = Image.open(io.BytesIO(content)).convert("L")
    return np.asarray(image if image.size == (PATCH_PX, PATCH_PX) else image.resize((PATCH_PX, PATCH_PX)))


def patch_scores(given: Patches, networks: Chosen) -> NDArray[np.float64]:
    """The 2D classifier's probability of each patch; NotShippedError while there are no weights of it."""
    from inference.cnn.patch_classifier import score_patches

    return np.asarray(score_patches(given.images, networks["patches"]), float)


def patch_figures(given: Patches, scores: NDArray[np.float64]) -> dict[str, Any]:
    """Intervals by bootstrap over groups: several patches of one nodule count as one."""
    return {
        "n": len(scores),
        "n_nodules": int(given.label.sum()),
        "n_groups": len(set(given.group)),
        "auc": auc(scores, given.label),
        "auc_ci95": interval(given.group, lambda i: auc(scores[i], given.label[i])),
        "sensitivity_at_fpr_1pct": sensitivity_at(scores, given.label, 0.01),
        "baselines_auc": {"grey histogram": 0.70, "five rings": 0.88, "boosting on 10 x 10 pixels": 0.90},
    }


def _false_alarms(scan: WholeScan, networks: Chosen) -> list[NDArray[np.float32]]:
    """Cubes at candidates that lie away from every mark of one scan."""
    known = [scan.index(m) for m in scan.lesions if m.kind != "other"]
    found = find_candidates(
        scan.hu, scan.spacing_mm, scan.lungs, networks["candidates"], Limits(0.05, 60), lambda part: None
    )
    cubes = []
    for one in found:
        place = np.asarray(one.zyx_mm) / scan.spacing_mm
        if all(np.linalg.norm(k - place) * REDUCTION_STEP_MM > AWAY_MM for k in known):
            cubes.append(
                patch_at(scan.hu, scan.spacing_mm, one.zyx_mm, REDUCTION_PATCH[0], REDUCTION_STEP_MM)
            )
    return cubes


def second_look_figures(data: Path, networks: Chosen, *, count: int = 300) -> dict[str, Any]:
    """The 3D second look alone: val nodules set into val scans against the candidates on those scans."""
    rng = np.random.default_rng(11)
    scans = [s.at(REDUCTION_STEP_MM) for s in whole_scans(data, "val")]
    sampler = Sampler([Host(s, rng) for s in scans], implants(data, "val"), size=REDUCTION_PATCH[0])
    nodules = [reduction_input(sampler.implanted(rng, jitter_mm=1, more=0).hu) for _ in range(count)]
    alarms = [reduction_input(cube) for scan in scans for cube in _false_alarms(scan, networks)]
    logits = [_logits(networks, cubes) for cubes in (nodules, alarms)]
    label = np.arange(count + len(alarms)) < count
    return {"nodules": count, "false_alarms": len(alarms), "auc": auc(np.concatenate(logits), label)}


def _logits(networks: Chosen, cubes: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return mirrored_mean(networks["reduction"], np.stack(cubes)) if cubes else np.zeros(0, np.float32)
