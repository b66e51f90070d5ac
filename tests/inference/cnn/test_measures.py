"""Diameters and volume of outlines with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference.cnn.measures import measure
from scans.dicom.geometry import Geometry, Triple


def ellipsoid(axes_mm: Triple, spacing: Triple, angle: float = 0.0) -> tuple[NDArray[np.bool_], Geometry]:
    """Half axes (z, y, x) in mm, turned by `angle` in the plane of the slice."""
    z, y, x = (int(2 * np.ceil((max(axes_mm) + 3) / s) + 1) for s in spacing)
    grid = np.indices((z, y, x)).reshape(3, -1).T - (np.array([z, y, x]) - 1) / 2
    dz, dy, dx = (grid * spacing).T
    u, v = dx * np.cos(angle) + dy * np.sin(angle), -dx * np.sin(angle) + dy * np.cos(angle)
    inside = (dz / axes_mm[0]) ** 2 + (v / axes_mm[1]) ** 2 + (u / axes_mm[2]) ** 2 <= 1
    return inside.reshape(z, y, x), Geometry((z, y, x), spacing, (-20.0, 5.0, 100.0))


@settings(max_examples=30, deadline=None)
@given(
    diameter=st.floats(5, 30),
    spacing=st.tuples(st.floats(0.6, 2.0), st.floats(0.5, 0.9), st.floats(0.5, 0.9)),
)
def test_a_ball_measures_its_diameter_on_any_grid(diameter: float, spacing: Triple) -> None:
    found = measure(*ellipsoid((diameter / 2,) * 3, spacing))

    voxel = float(max(spacing))
    assert found.long_axis_mm == pytest.approx(diameter, abs=1.3 * voxel)
    assert found.short_axis_mm == pytest.approx(diameter, abs=1.3 * voxel)
    assert found.volume_mm3 == pytest.approx(np.pi / 6 * diameter**3, rel=0.5 * voxel / diameter * 3)


@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 4, 1.2, np.pi / 2])
@pytest.mark.parametrize("spacing", [(1.0, 0.6, 0.6), (2.5, 0.7, 0.5)])
def test_both_axes_of_an_ellipsoid_do_not_change_when_it_is_turned(angle: float, spacing: Triple) -> None:
    found = measure(*ellipsoid((5.0, 4.0, 9.0), spacing, angle))

    assert found.long_axis_mm == pytest.approx(18.0, abs=0.9)
    assert found.short_axis_mm == pytest.approx(8.0, abs=0.9)
    assert found.mean_diameter_mm == pytest.approx((found.long_axis_mm + found.short_axis_mm) / 2)


def test_the_axes_lie_in_the_slice_with_the_largest_area() -> None:
    mask = np.zeros((3, 20, 20), bool)
    mask[0, 10, 2:18] = True
    mask[1, 5:13, 5:13] = True

    found = measure(mask, Geometry(mask.shape, (2.0, 1.0, 1.0), (0.0, 0.0, 0.0)))

    assert found.slice_index == 1
    assert found.volume_mm3 == pytest.approx((16 + 64) * 2.0)


def test_a_single_voxel_measures_one_voxel() -> None:
    mask = np.ones((1, 1, 1), bool)

    found = measure(mask, Geometry((1, 1, 1), (2.0, 0.7, 0.7), (1.0, 2.0, 3.0)))

    assert found.long_axis_mm == pytest.approx(0.7)
    assert found.short_axis_mm == pytest.approx(0.7)
    assert found.center_mm == pytest.approx((1.0, 2.0, 3.0))


def test_the_centre_follows_flipped_rows_and_slices() -> None:
    mask, geometry = ellipsoid((4.0, 4.0, 6.0), (1.0, 0.8, 0.8))
    upright = measure(mask, geometry)
    last = tuple(n - 1 for n in mask.shape)
    corner = tuple(float(v) for v in geometry.to_mm((last[0], last[1], 0)))
    turned = Geometry(mask.shape, geometry.spacing_mm, corner, ((1, 0, 0), (0, -1, 0), (0, 0, -1)))  # type: ignore[arg-type]

    flipped = measure(mask[::-1, ::-1], turned)

    assert flipped.center_mm == pytest.approx(upright.center_mm)
    assert flipped.long_axis_mm == pytest.approx(upright.long_axis_mm)


def test_an_empty_outline_is_refused() -> None:
    with pytest.raises(ValueError, match="without voxels"):
        measure(np.zeros((2, 2, 2), bool), Geometry((2, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
