"""Grids and axes: values keep their place in the patient."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.cnn.resampling import isotropic, sample_grid
from scans.dicom.geometry import Geometry, Triple
from scans.dicom.orientation import standard


@settings(max_examples=25, deadline=None)
@given(step=st.floats(0.5, 3.0), spacing=st.tuples(*[st.floats(0.5, 4.0)] * 3))
def test_a_slope_stays_the_same_slope_inside(step: float, spacing: Triple) -> None:
    z, y, x = np.indices((24, 26, 28))
    volume = z * spacing[0] + 2 * y * spacing[1] - x * spacing[2]
    first = tuple(9 * s for s in spacing)

    found = sample_grid(volume, spacing, first, (2, 2, 2), (step, step, step))  # type: ignore[arg-type]

    k = np.indices((2, 2, 2)) * step
    expected = first[0] + k[0] + 2 * (first[1] + k[1]) - (first[2] + k[2])
    assert found == pytest.approx(expected, abs=0.05 * step + 1e-3)


def test_beyond_the_volume_the_edge_goes_on() -> None:
    volume = np.array([[[1.0, 2.0]]])

    found = sample_grid(volume, (1.0, 1.0, 1.0), (-5.0, 3.0, -2.0), (2, 1, 6), (1.0, 1.0, 1.0))

    assert found[0, 0] == pytest.approx([1, 1, 1, 2, 2, 2])


def test_the_whole_volume_at_one_step_ends_where_it_ended() -> None:
    assert isotropic(np.zeros((5, 9, 9)), (2.5, 0.5, 0.5), 1.25).shape == (9, 4, 4)


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(product([False, True], repeat=3)))
def test_every_axis_order_comes_back_to_the_same_standard_volume(
    axes: tuple[int, int, int], flips: tuple[bool, bool, bool]
) -> None:
    hu = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    upright = Geometry((2, 3, 4), (2.5, 0.7, 0.6), (10.0, -20.0, 30.0))
    turned, geometry = _turned(hu, upright, axes, flips)

    placed = standard(turned, geometry)

    assert np.array_equal(placed.hu, hu)
    assert placed.geometry.affine == pytest.approx(upright.affine)
    assert np.array_equal(placed.back(hu > 11), turned > 11)


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("flips", [(False, True, False), (True, False, True), (True, True, True)])
def test_a_part_finds_its_way_back(axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> None:
    hu = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
    turned, geometry = _turned(hu, Geometry((5, 6, 7), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), axes, flips)
    placed = standard(turned, geometry)

    start, mask = placed.back_box((1, 2, 3), hu[1:3, 2:5, 3:7] >= 0)

    part = turned[tuple(slice(s, s + n) for s, n in zip(start, mask.shape, strict=True))]
    assert set(part.ravel().tolist()) == set(hu[1:3, 2:5, 3:7].ravel().tolist())


def _turned(
    hu: np.ndarray, upright: Geometry, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]
) -> tuple[np.ndarray, Geometry]:
    """The same voxels stored in another axis order, some axes reversed."""
    corner = [hu.shape[a] - 1 if f else 0 for a, f in enumerate(flips)]
    stored = hu[tuple(slice(None, None, -1) if f else slice(None) for f in flips)].transpose(axes)
    unit = np.eye(3)
    by_axis = [unit[2 - a] * (-1 if flips[a] else 1) for a in range(3)]
    direction = tuple(tuple(float(v) for v in by_axis[a]) for a in axes[::-1])
    spacing = tuple(upright.spacing_mm[a] for a in axes)
    origin = tuple(float(v) for v in upright.to_mm(corner))
    return stored, Geometry(stored.shape, spacing, origin, direction)  # type: ignore[arg-type]
