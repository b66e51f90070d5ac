"""Putting trained weights beside the reading code: float32 weights and a manifest with their sha256."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from inference.cnn import preprocessing as shown
from inference.cnn.networks import WEIGHTS

KEPT = ("calibration", "threshold", "limits", "most_findings", "interval")
LICENCE = "Apache-2.0; trained on LIDC-IDRI (CC BY 3.0) and further TCIA collections, see docs/models"
LIDC = "lidc train split (584 patients)"
TRAINED_ON = [LIDC, "whole train split without lung-dx-a0002"]

CONSTANTS: dict[str, dict[str, Any]] = {
    "candidates": {
        "step_mm": shown.CANDIDATES_STEP_MM,
        "tile": shown.CANDIDATES_TILE,
        "windows_hu": [[-1000, 400]],
        "limits": {"score": 0.05, "count": 60},
    },
    "reduction": {
        "step_mm": shown.REDUCTION_STEP_MM,
        "patch": shown.REDUCTION_PATCH,
        "windows_hu": [[-1000, 400]],
        "calibration": [-1.0, 0.75, 1.05],
        "threshold": 0.13,
        "most_findings": 20,
    },
    "seeker": {
        "trained_on": [LIDC],
        "step_mm": "the scan's own pixels and slices",
        "window": [shown.OUTLINE_SLICES, shown.OUTLINE_WINDOW, shown.OUTLINE_WINDOW],
        "windows_hu": [[-1000, 400], [-200, 300]],
        "threshold": 0.6,
    },
    "outline": {
        "trained_on": [LIDC],
        "step_mm": "the scan's own pixels and slices",
        "window": [shown.OUTLINE_SLICES, shown.OUTLINE_WINDOW, shown.OUTLINE_WINDOW],
        "windows_hu": [[-1000, 400], [-200, 300]],
        "threshold": 0.5,
    },
    "malignancy": {
        "trained_on": [LIDC],
        "step_mm": [shown.MALIGNANCY_SLICE_MM, shown.MALIGNANCY_PIXEL_MM, shown.MALIGNANCY_PIXEL_MM],
        "window": [shown.MALIGNANCY_SLICES, shown.MALIGNANCY_WINDOW, shown.MALIGNANCY_WINDOW],
        "windows_hu": [[-1000, 400], [-200, 800]],
        "calibration": [0.0, 0.5, 0.5],
        "interval": 1.0,
    },
    "patches": {
        "trained_on": ["luna16 train patches", LIDC],
        "step_mm": "native pixels",
        "window": [50, 50],
        "windows_hu": [[-1000, 400]],
    },
}


def _plain(task: str, trained: Path, target: Path) -> None:
    """The weights alone, without the optimizer's state, rounded to half precision (stored as float32)."""
    from inference.cnn import loading

    model = loading.build(task)
    model.load_weights(trained)
    model.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])
    model.save_weights(target)


def _training(trained: Path) -> dict[str, Any]:
    """How long the weights were trained, as `train` or a script wrote it beside them."""
    for path in (trained.parent / "training.json", trained.with_suffix(".log.json")):
        if path.is_file():
            told = json.loads(path.read_text())
            return {key: told[key] for key in ("steps", "samples", "seconds", "best") if key in told}
    return {}


def release(task: str, trained: Path, folder: Path = WEIGHTS) -> str:
    """Copy the weights and write the manifest; earlier thresholds stay. Returns the sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{task}.weights.h5"
    _plain(task, trained, folder / name)
    content = (folder / name).read_bytes()
    path = folder / f"{task}.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    told = {
        "task": task,
        "file": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "trained_on": TRAINED_ON,
        "training": _training(trained),
        "metrics": "docs/models/metrics.json",
        "licence": LICENCE,
        **CONSTANTS[task],
    }
    kept = {key: before[key] for key in KEPT if key in before}
    path.write_text(json.dumps({**told, **kept}, indent=2) + "\n")
    return str(told["sha256"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=sorted(CONSTANTS))
    parser.add_argument("weights", type=Path)
    options = parser.parse_args()
    print(release(options.task, options.weights))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
