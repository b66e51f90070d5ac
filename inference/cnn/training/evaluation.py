"""Held-out figures of the shipped networks: `python -m inference.cnn.training.evaluation --data DIR --out F`.

Everything is measured on the `val` splits, through the very functions that read a scan.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.candidates import Candidate, Limits, find_candidates, patch_at
from inference.cnn.malignancy import Rating, rate
from inference.cnn.networks import LoadedNetworks, load_networks
from inference.cnn.outlines import Outlined, outline_all
from inference.cnn.preprocessing import REDUCTION_PATCH, REDUCTION_STEP_MM, reduction_input
from inference.cnn.read import read_volume
from inference.cnn.reduction import Judged, mirrored_mean
from inference.cnn.texture import nodule_type, solid_share
from inference.cnn.training.bank import extended, implants
from inference.cnn.evaluation.figures import auc, dice, interval
from inference.cnn.training.lidc import LidcNodule, lidc_nodules
from inference.cnn.training.sampler import Host, Sampler
from inference.cnn.training.whole import WholeScan, whole_scans
from scans.dicom.geometry import Geometry

SHIFTS_MM = (0.0, 3.0)


@dataclass(frozen=True)
class Drawn:
    """A val nodule, its outline by the network from a shifted start, and its rating."""

    nodule: LidcNodule
    found: Outlined
    dice: float
    rating: Rating
    solid: float


def draw(nodule: LidcNodule, shift_mm: float, rng: np.random.Generator, loaded: LoadedNetworks) -> Drawn:
    """Outline and rate one nodule, started from its centre moved by up to `shift_mm` along each axis."""
    hu, votes = extended(nodule, rng)
    consensus = votes >= 0.5
    spacing = nodule.spacing_mm
    start = np.argwhere(consensus).mean(axis=0) * spacing + rng.uniform(-shift_mm, shift_mm, 3)
    z, y, x = (float(v) for v in start)
    candidate = Candidate((z, y, x), nodule.diameter_mm * float(np.exp(rng.normal(0, 0.15))), 1.0)
    volume = np.rint(hu).astype(np.int16)
    found = outline_all(volume, spacing, [Judged(candidate, 1.0)], loaded["outline"])
    mask = np.zeros(hu.shape, bool)
    mask[tuple(slice(s, s + n) for s, n in zip(found[0].start, found[0].mask.shape, strict=True))] = found[
        0
    ].mask
    rating = rate(volume, spacing, found, loaded["malignancy"])[0]
    return Drawn(nodule, found[0], dice(mask, consensus), rating, solid_share(volume, mask, spacing))


def _dice_figures(drawn: list[Drawn]) -> dict[str, Any]:
    many = [d for d in drawn if len(d.nodule.masks) >= 3 and not d.nodule.cut]
    values = np.array([d.dice for d in many])
    patients = [d.nodule.patient_id for d in many]
    size = np.array([d.nodule.diameter_mm for d in many])
    bands = {"below 5": (0, 5), "5 to 8": (5, 8), "8 to 15": (8, 15), "above 15": (15, 99)}
    return {
        "nodules": len(many),
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "interval_95": interval(patients, lambda i: float(values[i].mean())),
        "by_diameter_mm": {k: float(values[(size >= a) & (size < b)].mean()) for k, (a, b) in bands.items()},
    }


def _auc_figures(drawn: list[Drawn], readers: int) -> dict[str, Any]:
    """Mean rating above 3 against below 3; nodules of exactly 3 are left out and counted."""
    eligible = [d for d in drawn if len(d.nodule.malignancy) >= readers]
    decided = [d for d in eligible if float(np.mean(d.nodule.malignancy)) != 3]
    label = np.array([float(np.mean(d.nodule.malignancy)) > 3 for d in decided])
    patients = [d.nodule.patient_id for d in decided]
    scores = {
        "network": np.array([d.rating.malignancy for d in decided]),
        "longest_diameter_readers": np.array([d.nodule.longest_mm for d in decided]),
        "volume_network_outline": np.array(
            [float(d.found.mask.sum()) * float(np.prod(d.nodule.spacing_mm)) for d in decided]
        ),
    }
    size = scores["longest_diameter_readers"]
    small = size < 12
    return {
        "nodules": len(decided),
        "positive": int(label.sum()),
        "left_out_at_3": len(eligible) - len(decided),
        **{
            name: {"auc": auc(s, label), "interval_95": _auc_interval(s, label, patients)}
            for name, s in scores.items()
        },
        "network_below_12_mm": auc(scores["network"][small], label[small]),
        "network_from_12_mm": auc(scores["network"][~small], label[~small]),
        "diameter_below_12_mm": auc(size[small], label[small]),
        "diameter_from_12_mm": auc(size[~small], label[~small]),
    }


def _auc_interval(
    scores: NDArray[np.float64], label: NDArray[np.bool_], patients: list[str]
) -> tuple[float, float]:
    return interval(patients, lambda i: auc(scores[i], label[i]))


def _calibration(drawn: list[Drawn]) -> dict[str, Any]:
    """Mean prediction and share of suspicious ratings in fifths, and how many lie in the interval."""
    predicted = np.array([d.rating.malignancy for d in drawn])
    share = np.array([np.mean([0.5 if r == 3 else r > 3 for r in d.nodule.malignancy]) for d in drawn])
    parts = np.array_split(np.argsort(predicted), 5)
    return {
        "fifths_predicted": [float(predicted[p].mean()) for p in parts],
        "fifths_rated": [float(share[p].mean()) for p in parts],
        "mean_interval_width": float(np.mean([d.rating.high - d.rating.low for d in drawn])),
    }


def _type_figures(drawn: list[Drawn]) -> dict[str, Any]:
    """Type by HU against the mean texture rating (<= 2 ground glass, >= 4 solid; CLINICAL 8.1)."""
    names = ("non_solid", "part_solid", "solid")
    table = np.zeros((3, 3), int)
    for d in (d for d in drawn if len(d.nodule.masks) >= 3):
        texture = float(np.mean(d.nodule.texture))
        truth = 0 if texture <= 2 else 2 if texture >= 4 else 1
        table[truth, names.index(nodule_type(d.solid))] += 1
    return {"rows_rated_columns_found": names, "table": table.tolist()}


def nodule_figures(data: Path, loaded: LoadedNetworks) -> dict[str, Any]:
    """Outline, malignancy and type on the val nodules of LIDC."""
    nodules = lidc_nodules(data, "val")
    by_shift = {}
    for shift in SHIFTS_MM:
        rng = np.random.default_rng(7)
        by_shift[shift] = [draw(n, shift, rng, loaded) for n in nodules]
    drawn = by_shift[3.0]
    return {
        "outline_dice_at_least_3_readers": {f"shift_{s:g}_mm": _dice_figures(d) for s, d in by_shift.items()},
        "malignancy": {
            "at_least_3_readers": _auc_figures(drawn, 3),
            "any_readers": _auc_figures(drawn, 1),
            "calibration": _calibration(drawn),
        },
        "type": _type_figures(drawn),
    }


def scan_figures(scan: WholeScan, loaded: LoadedNetworks) -> dict[str, Any]:
    """Which known nodules of one scan were found, at which rank, and how many other findings there are."""
    spacing, shape = scan.spacing_mm, (scan.hu.shape[0], scan.hu.shape[1], scan.hu.shape[2])
    start = time.perf_counter()
    reading = read_volume(scan.hu, Geometry(shape, spacing, scan.origin_mm), networks=loaded)
    seconds = time.perf_counter() - start
    hits: list[dict[str, Any]] = []
    for lesion in (m for m in scan.lesions if m.kind == "nodule"):
        gaps = [float(np.linalg.norm(np.subtract(f.center_mm, lesion.xyz_mm))) for f in reading.findings]
        near = [i for i, g in enumerate(gaps) if g <= max(lesion.diameter_mm / 2, 3)]
        rank = near[0] + 1 if near else None
        hits.append({"xyz_mm": lesion.xyz_mm, "diameter_mm": lesion.diameter_mm, "rank": rank})
    return {
        "findings": len(reading.findings),
        "known": hits,
        "p_nodule": [round(f.p_nodule, 3) for f in reading.findings],
        "scan_probability": reading.scan_probability,
        "seconds": round(seconds, 1),
    }


def reduction_figures(data: Path, loaded: LoadedNetworks, *, count: int = 300) -> dict[str, Any]:
    """The second look alone: val nodules set into val scans against the candidates on those scans."""
    rng = np.random.default_rng(11)
    scans = [s.at(REDUCTION_STEP_MM) for s in whole_scans(data, "val")]
    size, network = REDUCTION_PATCH[0], loaded["reduction"]
    sampler = Sampler([Host(s, rng) for s in scans], implants(data, "val"), size=size)
    nodules = [reduction_input(sampler.implanted(rng, jitter_mm=1, more=0).hu) for _ in range(count)]
    alarms = []
    for scan in scans:
        known = [scan.index(m) for m in scan.lesions if m.kind != "other"]
        limits = Limits(0.05, 60)
        found = find_candidates(
            scan.hu, scan.spacing_mm, scan.lungs, loaded["candidates"], limits, lambda part: None
        )
        for one in found:
            place = np.asarray(one.zyx_mm) / scan.spacing_mm
            if all(np.linalg.norm(k - place) * REDUCTION_STEP_MM > 20 for k in known):
                alarms.append(patch_at(scan.hu, scan.spacing_mm, one.zyx_mm, size, REDUCTION_STEP_MM))
    negative = np.stack([reduction_input(a) for a in alarms])
    logits = np.concatenate([mirrored_mean(network, np.stack(nodules)), mirrored_mean(network, negative)])
    label = np.arange(len(logits)) < count
    return {"nodules": count, "false_alarms": len(alarms), "auc": auc(logits, label)}


def one_at_a_time(loaded: LoadedNetworks) -> LoadedNetworks:
    """The same networks without filling up batches: here places come singly."""
    return LoadedNetworks({t: dataclasses.replace(n, batch=1) for t, n in loaded.by_task.items()})


def evaluate(data: Path) -> dict[str, Any]:
    """All figures, with the hashes of what they were measured on."""
    loaded = load_networks()
    scans = whole_scans(data, "val") + [s for s in whole_scans(data, "train") if s.name == "tcga-bc-a3kf"]
    return {
        "networks": loaded.networks,
        "whole": {s.name: scan_figures(s, loaded) for s in scans},
        "reduction": reduction_figures(data, loaded),
        "lidc_val": nodule_figures(data, one_at_a_time(loaded)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.write_text(json.dumps(evaluate(options.data), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
