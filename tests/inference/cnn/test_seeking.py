"""Stacks of few slices are searched pixel by pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.cnn.networks import Network
from inference.cnn.read import read_volume
from inference.cnn.seeking import is_thin, nodule_map, places, seek, stack_input, turned, turned_back
from scans.dicom.geometry import Geometry
from tests.inference.cnn.series import volume_of

SPACING = (2.0, 0.7, 0.7)


class BrightPixels:
    """A network that takes what is brighter than -500 HU for a nodule: its logit is the window's grey."""

    def __init__(self) -> None:
        self.windows = 0

    def __call__(self, images: Any) -> Any:
        import tensorflow as tf

        self.windows += len(images)
        return tf.convert_to_tensor(20 * (images[..., 2:3] + 2 / 7))


def _network() -> tuple[Network, BrightPixels]:
    seen = BrightPixels()
    return Network("seeker", "", {}, seen, 4), seen


def _with_ball(shape: tuple[int, int, int], center: tuple[int, int, int], radius_mm: float) -> Any:
    """Lung of -850 HU with a ball of 0 HU."""
    grids = np.ogrid[tuple(slice(0, n) for n in shape)]
    far = sum(((g - c) * s) ** 2 for g, c, s in zip(grids, center, SPACING, strict=True))
    return np.where(far <= radius_mm**2, 0, -850).astype(np.int16)


@pytest.mark.parametrize(("slices", "thin"), [(1, True), (24, True), (30, False), (150, False)])
def test_a_stack_is_thin_below_six_centimetres(slices: int, thin: bool) -> None:
    assert is_thin(slices, SPACING) is thin


@given(turn=st.integers(0, 7), seed=st.integers(0, 1000))
def test_turning_back_undoes_turning(turn: int, seed: int) -> None:
    images = np.random.default_rng(seed).random((2, 6, 6, 3)).astype(np.float32)

    assert (turned_back(turned(images, turn), turn) == images).all()


def test_a_stack_is_mirrored_at_its_ends_and_tells_no_place() -> None:
    hu = np.stack([np.full((16, 16), -1000 + 100 * z) for z in range(4)])

    given_ = stack_input(hu, SPACING)

    first = given_[0, 0, 0, :5]
    assert first == pytest.approx([-1 + 2 * v / 1400 for v in (200, 100, 0, 100, 200)], abs=1e-5)
    assert (given_[..., -1] == 0).all()


def test_one_slice_is_a_stack_too() -> None:
    assert np.isfinite(stack_input(np.zeros((1, 64, 64)), SPACING)).all()


@pytest.mark.networks
@pytest.mark.parametrize("size", [(40, 52), (64, 64), (150, 97)])
def test_windows_cover_slices_of_any_size(size: tuple[int, int]) -> None:
    network, _ = _network()
    hu = _with_ball((3, *size), (1, size[0] - 4, size[1] - 5), 2.5)

    found = nodule_map(hu, SPACING, network, (0, 5))

    assert found.shape == hu.shape
    assert ((found > 0.5) == (hu > -500)).all()


def test_places_come_best_first_with_the_size_of_their_piece() -> None:
    probability = np.zeros((9, 64, 64), np.float32)
    probability[3:6, 8:15, 8:15] = 0.9
    probability[4:5, 40:44, 40:44] = 0.4

    first, second = places(probability, SPACING, (10, 100, 0))

    assert first.zyx_mm == pytest.approx((14 * 2, 111 * 0.7, 11 * 0.7), abs=2)
    assert second.zyx_mm == pytest.approx((14 * 2, 141.5 * 0.7, 41.5 * 0.7), abs=2)
    assert first.diameter_mm == pytest.approx(2 * np.sqrt(49 / np.pi) * 0.7, rel=0.2)
    assert first.score > second.score


@pytest.mark.networks
def test_what_lies_outside_the_lungs_is_not_sought() -> None:
    network, seen = _network()
    hu = np.maximum(_with_ball((5, 200, 200), (2, 60, 60), 4), _with_ball((5, 200, 200), (2, 160, 160), 4))
    lungs = np.zeros(hu.shape, bool)
    lungs[:, 30:100, 30:100] = True

    found = seek(hu, SPACING, lungs, network)

    assert [np.round(j.candidate.zyx_mm, 1).tolist() for j in found] == [[4.0, 42.0, 42.0]]
    assert seen.windows
    assert seek(hu, SPACING, np.zeros(hu.shape, bool), network) == []


@pytest.mark.networks
@pytest.mark.shared
def test_a_slab_of_a_real_chest_is_read_and_its_two_nodules_are_found(shared: Path) -> None:
    hu, whole = volume_of(shared, "lidc-idri-0003")
    first, last = 76, 92
    x, y, z = (float(v) for v in whole.to_mm((first, 0, 0)))
    shape = (last - first, hu.shape[1], hu.shape[2])
    slab = Geometry(shape, whole.spacing_mm, (x, y, z), whole.direction)

    found = read_volume(np.ascontiguousarray(hu[first:last]), slab).findings

    shown = np.array([f.center_mm for f in found[:6]])
    for nodule in ((23.6, -47.6, -172.3), (-47.2, -30.1, -169.6)):
        assert np.linalg.norm(shown - nodule, axis=1).min() < 5
