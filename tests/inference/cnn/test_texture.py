"""Solid, part-solid, non-solid, and the solid part: on made nodules and on what readers said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.cnn.measures import measure
from inference.cnn.reading import NoduleType
from inference.cnn.texture import TYPES, by_density, nodule_type, solid_part
from inference.cnn.training.lidc import lidc_nodules
from scans.dicom.geometry import Geometry, Triple

SPACING: Triple = (1.0, 0.7, 0.7)
SHAPE = (25, 36, 36)


def ball(radius_mm: float, aside_mm: float = 0.0) -> NDArray[np.bool_]:
    z, y, x = (
        (np.indices(SHAPE)[a] - SHAPE[a] // 2) * SPACING[a] - (aside_mm if a == 2 else 0) for a in range(3)
    )
    return np.asarray(z**2 + y**2 + x**2 <= radius_mm**2)


def made(*parts: tuple[NDArray[np.bool_], int], noise: float = 20.0) -> NDArray[np.int16]:
    hu = np.full(SHAPE, -860.0)
    for mask, value in parts:
        hu[mask] = value
    return np.asarray(hu + np.random.default_rng(5).normal(0, noise, SHAPE), np.int16)


@pytest.mark.parametrize(
    ("inner_mm", "inner_hu", "outer_hu", "expected"),
    [(0.0, 0, 30, "solid"), (0.0, 0, -630, "non_solid"), (4.0, 20, -620, "part_solid")],
)
def test_a_made_nodule_is_called_what_it_is(
    inner_mm: float, inner_hu: int, outer_hu: int, expected: NoduleType
) -> None:
    mask = ball(8)
    hu = made((mask, outer_hu), (ball(inner_mm), inner_hu) if inner_mm else (np.zeros(SHAPE, bool), 0))

    assert nodule_type(hu, mask, SPACING) == expected


def test_the_mixed_outer_millimetre_does_not_make_a_solid_nodule_part_solid() -> None:
    hu = made((ball(6), -550), (ball(5), 30))

    assert nodule_type(hu, ball(6), SPACING) == "solid"


@pytest.mark.parametrize("size", [1, 2])
def test_the_smallest_outlines_still_have_a_type(size: int) -> None:
    hu = np.full((size, size, size), -700, np.int16)

    assert nodule_type(hu, np.ones(hu.shape, bool), (2.5, 0.7, 0.7)) == "non_solid"


def test_values_beyond_the_scale_of_hounsfield_give_probabilities() -> None:
    for value in (-5000.0, 5000.0):
        assert by_density(np.array([value, value, value, 9.0])).sum() == pytest.approx(1)


def test_the_solid_part_is_measured_like_the_nodule() -> None:
    mask, geometry = ball(9), Geometry(SHAPE, SPACING, (0.0, 0.0, 0.0))
    hu = made((mask, -620), (ball(4, aside_mm=2), 30))

    solid = solid_part(hu, mask, geometry, measure(mask, geometry))

    assert solid is not None
    assert solid.mean_diameter_mm == pytest.approx(8, abs=0.8)
    assert solid.mean_diameter_mm == pytest.approx((solid.long_axis_mm + solid.short_axis_mm) / 2)


def test_the_largest_of_two_solid_parts_counts() -> None:
    mask, geometry = ball(9), Geometry(SHAPE, SPACING, (0.0, 0.0, 0.0))
    hu = made((mask, -620), (ball(1.5, aside_mm=-6), 30), (ball(3, aside_mm=3), 30))

    solid = solid_part(hu, mask, geometry, measure(mask, geometry))

    assert solid is not None
    assert solid.mean_diameter_mm == pytest.approx(6, abs=0.8)


def test_the_solid_part_is_never_larger_than_the_nodule() -> None:
    mask, geometry = ball(7), Geometry(SHAPE, SPACING, (0.0, 0.0, 0.0))
    whole = measure(mask, geometry)

    solid = solid_part(made((mask, 30)), mask, geometry, whole)

    assert solid is not None
    assert solid.long_axis_mm <= whole.long_axis_mm
    assert solid.mean_diameter_mm <= whole.mean_diameter_mm


def test_noise_makes_no_solid_part() -> None:
    mask, geometry = ball(8), Geometry(SHAPE, SPACING, (0.0, 0.0, 0.0))

    assert solid_part(made((mask, -650), noise=90), mask, geometry, measure(mask, geometry)) is None


@pytest.mark.shared
def test_types_agree_with_most_readers_of_the_val_patients(shared: Path) -> None:
    right = {name: [0, 0] for name in TYPES}
    for nodule in lidc_nodules(shared / "data", "val"):
        rating = float(np.mean(nodule.texture))
        truth = TYPES[0 if rating <= 2 else 2 if rating >= 4 else 1]
        mask = nodule.votes >= min(0.5, float(nodule.votes.max()))
        right[truth][0] += nodule_type(nodule.hu, mask, nodule.spacing_mm) == truth
        right[truth][1] += 1

    assert right["part_solid"][0] >= 0.3 * right["part_solid"][1]
    assert right["non_solid"][0] >= 0.6 * right["non_solid"][1]
    assert right["solid"][0] >= 0.8 * right["solid"][1]
