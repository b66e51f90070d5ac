"""The precision in which a computer reads: chosen by a test, and without effect on what is found."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.cnn.candidates import Candidate, Limits, find_candidates, slabs
from inference.cnn.engine import SETTING, Precision, SelfTest, self_test, wanted
from inference.cnn.networks import Network, checked, manifest
from scans.dicom.lungs import find_lungs
from scans.dicom.orientation import standard
from scans.dicom.phantom import NoduleSpec, PhantomSpec, make_phantom

SURE = 0.3


def test_bfloat16_is_taken_only_where_it_is_clearly_faster() -> None:
    assert SelfTest(1.0, 0.5).better == "bfloat16"
    assert SelfTest(1.0, 0.95).better == "float32"


def test_the_setting_decides_before_the_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "float32")
    assert wanted() == "float32"
    monkeypatch.setenv(SETTING, "auto")
    assert wanted() is None


def test_an_unknown_precision_is_refused_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "float8")

    with pytest.raises(ValueError, match="set it to auto, float32 or bfloat16"):
        wanted()


def test_the_engine_can_be_imported_without_tensorflow() -> None:
    code = "import sys, inference.cnn.engine; sys.exit('tensorflow' in sys.modules)"
    environment = {**os.environ, SETTING: "auto"}

    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3], env=environment
    )

    assert done.returncode == 0


def test_the_parts_of_the_lungs_cover_them_and_stay_small() -> None:
    lungs = np.zeros((370, 300, 330), bool)
    lungs[5:360, 20:280, 18:310] = True

    parts = slabs(lungs)

    assert len(parts) > 1
    assert parts[0].low[0] == 0
    assert parts[-1].high[0] >= 360
    assert all(a.high[0] == b.low[0] for a, b in pairwise(parts))
    assert all(v % 16 == 0 for part in parts for v in (*part.low, *part.high))
    sizes = [np.prod(np.subtract(part.high, part.low)) for part in parts]
    assert max(sizes) < 13_000_000


def candidate_network(precision: Precision) -> Network:
    from inference.cnn import loading

    path, sha256 = checked("candidates")
    graph = loading.graph("candidates", str(path), precision)
    return Network("candidates", sha256, manifest("candidates"), graph, 1, precision)


@pytest.fixture(scope="module")
def chest() -> tuple[NDArray[np.int16], tuple[float, float, float], NDArray[np.bool_]]:
    """HU, spacing and lungs of a made chest with two nodules, in standard axis order."""
    nodules = (NoduleSpec(14.0, "solid", "RUL"), NoduleSpec(8.0, "solid", "LLL"))
    spec = PhantomSpec(11, nodules=nodules, slices=150, size=160, pixel_mm=2.13, increment_mm=2.0)
    made = make_phantom(spec)
    placed = standard(made.hu, made.geometry)
    lungs = standard(find_lungs(made.hu, made.geometry).mask.astype(np.int16), made.geometry).hu > 0
    return placed.hu, placed.geometry.spacing_mm, lungs


@pytest.mark.networks
def test_both_precisions_find_the_same_candidates(
    chest: tuple[NDArray[np.int16], tuple[float, float, float], NDArray[np.bool_]],
) -> None:
    hu, spacing, lungs = chest
    limits = Limits(score=0.05, count=60)

    def found(precision: Precision) -> list[Candidate]:
        return find_candidates(hu, spacing, lungs, candidate_network(precision), limits, lambda part: None)

    exact, quick = found("float32"), found("bfloat16")

    sure = [one for one in exact if one.score >= SURE]
    assert sure, "a comparison of nothing proves nothing"
    for one in sure:
        near = min(quick, key=lambda c: float(np.linalg.norm(np.subtract(c.zyx_mm, one.zyx_mm))))
        assert near.zyx_mm == pytest.approx(one.zyx_mm, abs=0.5)
        assert near.score == pytest.approx(one.score, abs=0.02)
        assert near.diameter_mm == pytest.approx(one.diameter_mm, rel=0.1)


@pytest.mark.networks
def test_the_self_test_takes_a_moment() -> None:
    measured = self_test()

    assert 0 < measured.float32_s < 2
    assert 0 < measured.bfloat16_s < 20
