"""Candidates in bone, doubles, and the one piece that is outlined."""

from __future__ import annotations

import numpy as np
import pytest

from inference.cnn.candidates import Candidate, distinct
from inference.cnn.outlines import ball, grown, on_voxels, one_piece
from inference.cnn.reduction import bony

CUBE = np.indices((32, 32, 32)) - 16
DISTANCE = np.sqrt((CUBE**2).sum(axis=0))
MM = (1.0, 1.0, 1.0)
AROUND = np.sqrt(((np.indices((48, 48, 48)) - 24) ** 2).sum(axis=0)).astype(np.float32)


def lung_with(inside: np.ndarray, hu: float) -> np.ndarray:
    return np.where(inside, hu, -850).astype(np.float32)


@pytest.mark.parametrize(
    ("inside", "hu", "expected"),
    [
        (DISTANCE <= 5, 30, False),
        (DISTANCE <= 4, 900, False),
        ((np.abs(CUBE[1]) < 4) & (np.abs(CUBE[2]) < 4), 600, True),
        ((np.abs(CUBE[1]) < 4) & (np.abs(CUBE[2]) < 4), 60, False),
        ((np.abs(CUBE[1] - 10) < 4) & (np.abs(CUBE[2]) < 4), 600, False),
    ],
    ids=["soft nodule", "calcified nodule", "rib", "vessel", "rib beside"],
)
def test_only_bone_that_goes_on_is_taken_for_the_skeleton(
    inside: np.ndarray, hu: float, expected: bool
) -> None:
    assert bony(lung_with(inside, hu)) is expected


def test_a_weaker_candidate_within_a_better_one_is_dropped() -> None:
    mass = Candidate((0.0, 0.0, 0.0), 40.0, 0.9)
    within, beside = Candidate((0.0, 0.0, 15.0), 8.0, 0.5), Candidate((0.0, 0.0, 30.0), 8.0, 0.4)

    assert distinct([beside, within, mass]) == [mass, beside]


def test_the_larger_piece_near_the_middle_is_taken_and_the_far_one_left() -> None:
    probability = np.minimum(ball(AROUND, 5.0), 1)
    probability[2:6, 2:6, 2:6] = 1

    piece = one_piece(probability, AROUND, 4.0)

    assert not piece[2:6, 2:6, 2:6].any()
    assert (piece >= 0.5).sum() == pytest.approx((ball(AROUND, 5.0) >= 0.5).sum(), rel=0.05)


@pytest.mark.parametrize("spacing", [(1.0, 0.7, 0.7), (2.5, 0.8, 0.6), (5.0, 0.5, 0.5)])
def test_an_outline_keeps_its_volume_on_the_voxels_of_the_scan(spacing: tuple[float, float, float]) -> None:
    _, mask = on_voxels(ball(AROUND, 8.0), (10.0, 10.0, 10.0), MM, spacing, (60, 200, 200))

    assert mask.sum() * np.prod(spacing) == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.12)


def test_an_outline_between_thick_slices_still_has_a_voxel() -> None:
    _, mask = on_voxels(ball(AROUND, 1.5), (0.0, 0.0, 0.0), MM, (9.0, 0.7, 0.7), (8, 100, 100))

    assert mask.any()


def test_half_maximum_follows_a_nodule_where_the_network_draws_nothing() -> None:
    found = grown(lung_with(AROUND <= 6, 20), AROUND, 6.0) >= 0.5

    assert found.sum() == pytest.approx((AROUND <= 6).sum(), rel=0.1)
