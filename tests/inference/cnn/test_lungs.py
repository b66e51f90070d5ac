"""Finding the lungs without any network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scans.dicom.geometry import Geometry, Matrix
from scans.dicom.lungs import find_lungs
from tests.inference.cnn.series import volume_of

SHAPE = (80, 128, 128)
SPACING = (2.5, 2.5, 2.5)
UPRIGHT: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def chest() -> NDArray[np.int16]:
    """Two ellipsoid lungs in an elliptic body, a windpipe above, a table below, air about."""
    z, y, x = np.indices(SHAPE)
    hu = np.full(SHAPE, -1000, np.int16)
    hu[((y - 62) / 42) ** 2 + ((x - 64) / 56) ** 2 <= 1] = 40
    hu[(y >= 112) & (y <= 114)] = 100
    for middle in (38, 90):
        hu[((z - 38) / 32) ** 2 + ((y - 62) / 26) ** 2 + ((x - middle) / 19) ** 2 <= 1] = -850
    hu[(z > 40) & ((y - 55) ** 2 + (x - 64) ** 2 <= 9)] = -990
    return hu


def test_both_lungs_are_found_with_their_volumes_and_sides() -> None:
    lungs = find_lungs(chest(), Geometry(SHAPE, SPACING, (0.0, 0.0, 0.0)))

    expected = 4 / 3 * np.pi * 32 * 26 * 19 * 2.5**3 / 1000
    assert lungs.right_ml == pytest.approx(expected, rel=0.12)
    assert lungs.left_ml == pytest.approx(expected, rel=0.12)
    assert lungs.right[38, 62, 38]
    assert not lungs.right[38, 62, 90]
    assert lungs.mask[38, 62, 90]
    assert not lungs.mask[70, 55, 64], "the windpipe is no lung"
    assert not lungs.touches_first_or_last_slice
    assert lungs.touches_in_plane_border == 0


@pytest.mark.parametrize("depth", [4, 7])
def test_a_nodule_on_the_pleura_lies_inside_the_mask(depth: int) -> None:
    hu = chest()
    z, y, x = np.indices(SHAPE)
    hu[(z - 38) ** 2 + (y - 62) ** 2 + (x - 19 - depth + 3) ** 2 <= 9] = 30

    lungs = find_lungs(hu, Geometry(SHAPE, SPACING, (0.0, 0.0, 0.0)))

    assert lungs.mask[38, 62, 19 + depth]


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1), (0, 1, 2)])
def test_the_same_lungs_whatever_the_order_of_slices_and_rows(axes: tuple[int, ...]) -> None:
    upright = Geometry(SHAPE, SPACING, (-100.0, -80.0, -50.0))
    corner = tuple(float(v) for v in upright.to_mm([SHAPE[a] - 1 if a in axes else 0 for a in range(3)]))
    signs = [-1.0 if a in axes else 1.0 for a in (2, 1, 0)]
    direction = tuple(tuple(v * s for v in row) for row, s in zip(UPRIGHT, signs, strict=True))

    plain = find_lungs(chest(), upright)
    turned = find_lungs(np.flip(chest(), axes), Geometry(SHAPE, SPACING, corner, direction))  # type: ignore[arg-type]

    assert np.array_equal(np.flip(turned.mask, axes), plain.mask)
    assert np.array_equal(np.flip(turned.right, axes), plain.right)


@pytest.mark.parametrize(("first", "last"), [(30, 80), (0, 40)])
def test_a_scan_that_ends_in_lung_says_so(first: int, last: int) -> None:
    hu = chest()[first:last]

    lungs = find_lungs(hu, Geometry(hu.shape, SPACING, (0.0, 0.0, 0.0)))

    assert lungs.touches_first_or_last_slice


def test_a_field_of_view_that_cuts_the_lungs_is_seen() -> None:
    hu = chest()[:, :, 30:]

    lungs = find_lungs(hu, Geometry(hu.shape, SPACING, (0.0, 0.0, 0.0)))

    assert lungs.touches_in_plane_border > 0.5


@pytest.mark.parametrize("value", [-1000, 40, -2048])
def test_a_volume_without_lungs_has_none(value: int) -> None:
    hu = np.full((20, 64, 64), value, np.int16)

    lungs = find_lungs(hu, Geometry(hu.shape, SPACING, (0.0, 0.0, 0.0)))

    assert lungs.ml == 0
    assert not lungs.mask.any()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("series", "right_ml", "left_ml"),
    [("lidc-idri-0003", 2800, 3100), ("lung-dx-a0002-b40f", 1100, 1550), ("head-ge-tilt", 0, 0)],
)
def test_the_lungs_of_real_series(shared: Path, series: str, right_ml: float, left_ml: float) -> None:
    lungs = find_lungs(*volume_of(shared, series))

    assert lungs.right_ml == pytest.approx(right_ml, rel=0.05)
    assert lungs.left_ml == pytest.approx(left_ml, rel=0.05)
