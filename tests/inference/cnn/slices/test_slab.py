"""A volume around one slice, and the outlines drawn on it."""

from __future__ import annotations

import numpy as np
import pytest

from inference.cnn.slices.anatomy import anatomy
from inference.cnn.slices.opening import open_picture
from inference.cnn.slices.outlining import contour
from inference.cnn.slices.slab import SLICE_MM, SLICES, half_thickness_mm, slab
from tests.inference.cnn.slices.pictures import NODULE, NODULE_MM, PIXEL_MM, chest_slice, dicom

MIDDLE = SLICES // 2


@pytest.fixture(scope="module")
def around():
    hu = chest_slice()
    volume, geometry = slab(hu, (PIXEL_MM, PIXEL_MM), anatomy(open_picture(dicom(hu))).lungs)
    return hu, volume, geometry


def test_the_middle_of_the_slab_is_the_slice_itself(around):
    hu, volume, geometry = around
    assert (volume[MIDDLE] == hu).all()
    assert geometry.shape == volume.shape
    assert geometry.spacing_mm == (SLICE_MM, PIXEL_MM, PIXEL_MM)


def test_a_disc_becomes_a_ball(around):
    _, volume, _ = around
    extent = (volume[(slice(None), *NODULE)] > -400).sum() * SLICE_MM
    assert extent == pytest.approx(NODULE_MM, abs=2.5)


def test_the_chest_wall_goes_on_above_and_below(around):
    hu, volume, _ = around
    assert (volume[:, 68, 160] == hu[68, 160]).all()


def test_a_band_is_as_thick_as_it_is_wide():
    dense = np.zeros((60, 60), bool)
    dense[26:35] = True
    half = half_thickness_mm(dense, (1.0, 1.0))
    assert half[30, 30] == pytest.approx(5, abs=0.6)
    assert half[10, 30] == 0


def test_a_ball_is_thinner_towards_its_rim():
    y, x = np.mgrid[:41, :41]
    half = half_thickness_mm(np.hypot(y - 20, x - 20) <= 10, (1.0, 1.0))
    assert half[20, 20] == pytest.approx(10.5, abs=0.8)
    assert half[20, 26] == pytest.approx((10.5**2 - 36) ** 0.5, abs=0.8)


def test_a_contour_lies_around_its_pixels():
    mask = np.zeros((9, 9), bool)
    mask[2:7, 3:8] = True
    points = np.array(contour(mask, 100, 200))
    assert points.mean(axis=0) == pytest.approx([205.5, 104.5], abs=0.3)
    assert points[:, 0].max() - points[:, 0].min() == pytest.approx(5, abs=0.7)


def test_an_empty_mask_has_no_contour():
    assert contour(np.zeros((5, 5), bool), 0, 0) == ()
