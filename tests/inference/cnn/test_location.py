"""Side, third and pleura of a place in two made lungs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.cnn.location import LungSpace
from inference.cnn.reading import Pleura, Side, Third
from scans.dicom.geometry import Geometry
from scans.dicom.lungs import LungMask
from scans.dicom.orientation import standard

SHAPE = (60, 100, 120)
SPACING = (2.5, 2.5, 2.5)
Z, Y, X = np.indices(SHAPE)
Mask = NDArray[np.bool_]

RIGHT: Mask = (X >= 10) & (X < 55) & (Y >= 20) & (Y < 80) & (Z >= 6) & (Z < 54)
LEFT: Mask = (X >= 65) & (X < 110) & (Y >= 20) & (Y < 80) & (Z >= 6) & (Z < 54)


def space(flip: tuple[int, ...] = (), first: int = 0) -> LungSpace:
    """Two boxes of lung, 48 slices high, in a body; axes reversed as told, the lowest slices cut off."""
    hu = np.where(RIGHT | LEFT, -850, 40).astype(np.int16)[first:]
    right, left = RIGHT[first:], LEFT[first:]
    shape = hu.shape
    corner = [(shape[a] - 1) * SPACING[a] if a in flip else 0.0 for a in (2, 1, 0)]
    rows = [
        tuple(-v if a in flip else v for v in row)
        for a, row in zip((2, 1, 0), np.eye(3).tolist(), strict=True)
    ]
    geometry = Geometry(shape, SPACING, tuple(corner), tuple(rows))  # type: ignore[arg-type]
    turned = [np.ascontiguousarray(np.flip(v, flip)) for v in (hu, right | left, right)]
    lungs = LungMask(turned[1], turned[2], 2000.0, 2000.0, bool(first), 0.0)
    return LungSpace.of(lungs, standard(turned[0], geometry))


@pytest.mark.parametrize("flip", [(), (0,), (2,), (0, 1, 2)])
@pytest.mark.parametrize(
    ("index", "side", "third"),
    [
        ((50, 50, 30), "right", "upper"),
        ((30, 50, 30), "right", "middle"),
        ((10, 50, 90), "left", "lower"),
        ((50, 50, 62), "left", "upper"),
    ],
)
def test_side_and_third_do_not_depend_on_the_order_of_slices(
    index: tuple[int, int, int], side: Side, third: Third, flip: tuple[int, ...]
) -> None:
    lungs = space(flip)

    assert lungs.side(np.array(index, float)) == side
    assert lungs.third(np.array(index, float), side) == third


def test_no_third_is_claimed_of_a_lung_that_the_scan_cuts() -> None:
    lungs = space(first=20)

    assert lungs.heights == (None, None)
    assert lungs.third(np.array((10.0, 50, 30)), "right") is None


@pytest.mark.parametrize(
    ("first_row", "expected", "distance"),
    [(20, "attached", 0.0), (21, "near", 2.5), (22, "near", 5.0), (30, "away", 12.0)],
)
def test_the_distance_to_the_pleura_is_measured_from_the_outline(
    first_row: int, expected: Pleura, distance: float
) -> None:
    said = space().pleura((28, first_row, 30), np.ones((3, 3, 3), bool), "right")

    assert said is not None
    assert said[0] == expected
    assert said[1] == pytest.approx(distance, abs=0.01)


def test_a_nodule_that_tissue_joins_to_the_wall_is_attached() -> None:
    lungs, outline = space(), np.ones((3, 3, 3), bool)
    assert lungs.pleura((28, 21, 30), outline, "right") == ("near", 2.5)

    lungs.hu[28:31, 20, 30:33] = 0

    assert lungs.pleura((28, 21, 30), outline, "right") == ("attached", 2.5)


def test_without_lungs_nothing_is_said_of_the_pleura() -> None:
    hu = np.full((8, 20, 20), 40, np.int16)
    empty = np.zeros(hu.shape, bool)
    geometry = Geometry(hu.shape, SPACING, (0.0, 0.0, 0.0))
    lungs = LungSpace.of(LungMask(empty, empty, 0.0, 0.0, False, 0.0), standard(hu, geometry))

    assert lungs.pleura((2, 2, 2), np.ones((2, 2, 2), bool), "right") is None
    assert lungs.side(np.array((1.0, 1, 15))) == "left"
