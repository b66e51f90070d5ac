"""Calcium and fat inside an outline (CLINICAL 1.9)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.cnn.calcification import CALCIFIED_SHARE, calcification, has_fat
from inference.cnn.reading import Calcium
from inference.cnn.training.lidc import lidc_nodules
from scans.dicom.geometry import Triple

SPACING: Triple = (1.0, 0.7, 0.7)
SHAPE = (25, 36, 36)
Z, Y, X = ((np.indices(SHAPE)[a] - SHAPE[a] // 2) * SPACING[a] for a in range(3))
Mask = NDArray[np.bool_]


def ball(radius_mm: float, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mask:
    return np.asarray((Z - z) ** 2 + (Y - y) ** 2 + (X - x) ** 2 <= radius_mm**2)


def nodule(calcium: Mask | None = None, value: int = 600) -> NDArray[np.int16]:
    """A soft ball of 8 mm radius with a calcified part."""
    hu = np.where(ball(8), 40, -850)
    if calcium is not None:
        hu = np.where(calcium & ball(8), value, hu)
    return np.asarray(hu + np.random.default_rng(1).normal(0, 20, SHAPE), np.int16)


CHUNKS = np.logical_or.reduce([ball(2.7, *at) for at in np.vstack([np.eye(3), -np.eye(3)]) * 4.8])


@pytest.mark.parametrize(
    ("calcium", "expected"),
    [
        (None, "none"),
        (ball(8), "diffuse"),
        (ball(4.5), "central"),
        (ball(8) & ~ball(6), "laminated"),
        (CHUNKS, "popcorn"),
        (ball(4, 4.5), "eccentric"),
    ],
)
def test_each_pattern_is_told_by_where_the_calcium_lies(calcium: Mask | None, expected: Calcium) -> None:
    assert calcification(nodule(calcium), ball(8), SPACING)[0] == expected


def test_a_pattern_is_only_named_from_a_tenth_of_the_outline_on() -> None:
    pattern, share = calcification(nodule(ball(2.5)), ball(8), SPACING)

    assert pattern == "none"
    assert 0 < share < CALCIFIED_SHARE


def test_single_bright_voxels_are_noise() -> None:
    hu = nodule()
    hu[::3, ::3, ::3] = 900

    assert calcification(hu, ball(8), SPACING) == ("none", 0.0)


def test_bone_beside_the_outline_is_no_calcium_of_the_nodule() -> None:
    hu = np.where(X > 8.5, 900, nodule()).astype(np.int16)

    assert calcification(hu, ball(8), SPACING)[0] == "none"


def test_fat_in_the_middle_is_found() -> None:
    assert has_fat(nodule(ball(4.5), value=-85), ball(8), SPACING) is True


def test_the_edge_of_a_faint_nodule_is_no_fat() -> None:
    distance = np.sqrt(Z**2 + Y**2 + X**2)
    faint = np.clip(60 - 100 * distance, -850, 60).astype(np.int16)

    assert has_fat(faint, ball(8), SPACING) is False


def test_soft_tissue_holds_no_fat() -> None:
    assert has_fat(nodule(), ball(8), SPACING) is False


def test_nothing_is_said_about_fat_on_thick_slices() -> None:
    assert has_fat(nodule(), ball(8), (3.0, 0.7, 0.7)) is None


@pytest.mark.shared
def test_calcium_agrees_with_the_readers_of_the_val_patients(shared: Path) -> None:
    said = np.array(
        [
            (
                np.mean([rating != 6 for rating in one.traits["calcified"]]) > 0.5,
                calcification(one.hu, one.votes >= min(0.5, one.votes.max()), one.spacing_mm)[0] != "none",
            )
            for one in lidc_nodules(shared / "data", "val")
        ]
    )

    assert said[said[:, 0], 1].mean() >= 0.75
    assert (~said[~said[:, 0], 1]).mean() >= 0.93
