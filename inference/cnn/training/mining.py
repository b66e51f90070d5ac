"""False alarms of a candidate network on the training scans: hard negatives for the next round."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from inference.cnn.candidates import Limits, heat_map, peaks
from inference.cnn.networks import Network
from inference.cnn.preprocessing import CANDIDATES_STEP_MM
from inference.cnn.training.whole import WholeScan, whole_scans

AWAY_MM = 8.0
# Where nobody marked all nodules, the loudest false alarms may be right.
DOUBTFUL = 0.55
FULLY_READ = frozenset({"lidc-0002"})
MANY_UNMARKED = frozenset({"rider-0117"})


def false_alarms(scan: WholeScan, network: Network, limits: Limits) -> list[list[float]]:
    """Places (z, y, x voxels of the scan) that are marked and lie away from every known nodule."""
    heat = heat_map(scan.hu.astype(np.float32), scan.lungs, network, lambda part: None)
    known = [(scan.index(m), m.diameter_mm) for m in scan.lesions if m.kind != "other"]
    places = []
    for place, _, score in peaks(heat, limits):
        gaps = [np.linalg.norm(at - place) * scan.spacing_mm[0] - d / 2 for at, d in known]
        doubtful = score > DOUBTFUL and scan.name not in FULLY_READ
        if min(gaps, default=99.0) > AWAY_MM and not doubtful and scan.name not in MANY_UNMARKED:
            places.append([round(float(v), 1) for v in place] + [round(score, 4)])
    return places


def mine(data: Path, weights: Path, limits: Limits) -> dict[str, Any]:
    from inference.cnn import loading

    network = Network("candidates", "", {}, loading.graph("candidates", str(weights)), 1)
    scans = [s.at(CANDIDATES_STEP_MM) for s in whole_scans(data, "train")]
    return {s.name: false_alarms(s, network, limits) for s in scans}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = mine(options.data, options.weights, Limits(0.03, 250))
    options.out.write_text(json.dumps({n: [p[:3] for p in places] for n, places in found.items()}))
    for name, places in found.items():
        print(name, len(places), [p[3] for p in places[:12]])  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
