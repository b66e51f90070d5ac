"""Weights are read only when they are the ones that the manifest names."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inference.cnn.networks import TASKS, WEIGHTS, WeightsRefusedError, checked, manifest, weights_hashes


def test_reading_can_be_imported_without_tensorflow() -> None:
    code = (
        "import sys, inference.cnn.read, inference.cnn.networks, scans.dicom.lungs;"
        "sys.exit(any(m.split('.')[0] in ('tensorflow', 'keras') for m in sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3])

    assert done.returncode == 0


@pytest.mark.parametrize("task", TASKS)
def test_the_shipped_weights_are_those_of_their_manifest(task: str) -> None:
    path, sha256 = checked(task)

    assert sha256 == weights_hashes()[task]
    assert path.stat().st_size < 8_000_000


@pytest.mark.parametrize("task", TASKS)
def test_each_manifest_says_what_a_reader_of_it_needs(task: str) -> None:
    told = manifest(task)

    assert {"task", "file", "sha256", "step_mm", "windows_hu", "trained_on", "metrics", "licence"} <= set(
        told
    )


def test_all_weights_together_stay_small() -> None:
    assert sum(f.stat().st_size for f in WEIGHTS.glob("*.h5")) < 40_000_000


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    shutil.copytree(WEIGHTS, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "reduction.weights.h5").open("ab") as stream:
        stream.write(b"\0")

    with pytest.raises(WeightsRefusedError, match="not those of its manifest"):
        checked("reduction", tmp_path)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "outline.json").write_text(json.dumps({"file": "outline.weights.h5", "sha256": "0" * 64}))

    with pytest.raises(WeightsRefusedError, match="missing"):
        checked("outline", tmp_path)


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsRefusedError, match="no manifest"):
        checked("outline", tmp_path)
