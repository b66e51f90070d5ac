"""Scans unlike those of the training are flagged with plain sentences; ordinary ones are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.cnn.familiarity import grey_values, noise_of, unfamiliar
from inference.cnn.location import LungSpace
from scans.dicom.geometry import Geometry
from scans.dicom.lungs import find_lungs
from scans.dicom.orientation import standard
from scans.dicom.phantom import Phantom, PhantomSpec, make_phantom
from tests.inference.cnn.series import volume_of


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(PhantomSpec(anatomy=3, slices=70, size=340, pixel_mm=0.98, increment_mm=4.0))


def codes(hu: NDArray[np.int16], geometry: Geometry) -> set[str]:
    placed = standard(hu, geometry)
    flags = unfamiliar(LungSpace.of(find_lungs(hu, geometry), placed))
    assert all(one.sentence.endswith(".") and not one.low <= one.value <= one.high for one in flags)
    return {one.code for one in flags}


def test_an_ordinary_chest_raises_nothing(phantom: Phantom) -> None:
    assert codes(phantom.hu, phantom.geometry) == set()


def test_a_scale_that_is_300_hu_off_is_noticed(phantom: Phantom) -> None:
    assert "U_LUNG" in codes(phantom.hu + np.int16(300), phantom.geometry)


def test_heavy_noise_is_noticed(phantom: Phantom) -> None:
    noise = np.random.default_rng(0).normal(0, 180, phantom.hu.shape)

    assert "U_NOISE" in codes((phantom.hu + noise).astype(np.int16), phantom.geometry)


def test_a_scan_that_ends_within_the_lungs_is_noticed(phantom: Phantom) -> None:
    half = phantom.hu[32:]
    geometry = replace(
        phantom.geometry, shape=half.shape, origin_mm=tuple(phantom.geometry.to_mm((32, 0, 0)))
    )

    assert "U_CUT" in codes(half, geometry)


@pytest.mark.parametrize(
    ("spacing", "code"), [((8.0, 0.98, 0.98), "U_SLICES"), ((4.0, 1.3, 1.3), "U_PIXELS")]
)
def test_voxels_unlike_those_of_the_training_are_noticed(
    phantom: Phantom, spacing: tuple[float, float, float], code: str
) -> None:
    assert code in codes(phantom.hu, replace(phantom.geometry, spacing_mm=spacing))


def head() -> NDArray[np.int16]:
    """A skull with a brain and two air-filled sinuses."""
    z, y, x = (np.indices((60, 128, 128))[a] - (30, 64, 64)[a] for a in range(3))
    radius = np.sqrt((z / 34) ** 2 + (y / 50) ** 2 + (x / 42) ** 2)
    hu = np.where(radius < 0.9, 35, np.where(radius < 1, 900, -1000))
    hu[(np.abs(x) > 8) & (np.abs(x) < 16) & (np.abs(y + 30) < 8) & (np.abs(z) < 8)] = -1000
    return hu.astype(np.int16)


@pytest.mark.parametrize("upside_down", [False, True])
def test_a_head_is_noticed_whichever_way_up(upside_down: bool) -> None:
    hu = head()[:, ::-1] if upside_down else head()

    assert codes(np.ascontiguousarray(hu), Geometry(hu.shape, (3.0, 1.8, 1.8), (0.0, 0.0, 0.0))) == {
        "U_NOLUNGS"
    }


def test_the_noise_of_a_slice_is_measured_in_its_airy_part() -> None:
    rng = np.random.default_rng(2)
    plane = rng.normal(-850, 25, (80, 80)).astype(np.float32)
    plane[:, 40:] = rng.normal(40, 400, (80, 40))

    measured = noise_of(plane, np.ones(plane.shape, bool))

    assert measured == pytest.approx(25, rel=0.15)
    assert noise_of(plane[:, 60:], np.ones((80, 20), bool)) is None


def test_without_lungs_there_are_no_grey_values() -> None:
    hu = np.full((4, 40, 40), 40, np.int16)

    assert grey_values(hu, np.zeros(hu.shape, bool), (1.0, 1.0, 1.0)) is None


@pytest.mark.shared
def test_a_real_chest_of_a_kept_aside_patient_raises_nothing(shared: Path) -> None:
    assert codes(*volume_of(shared, "lidc-idri-0003")) == set()


@pytest.mark.shared
def test_a_real_chest_in_slices_of_8_mm_is_only_told_for_its_slices(shared: Path) -> None:
    assert codes(*volume_of(shared, "lung-dx-a0002-b40f")) == {"U_SLICES"}


@pytest.mark.shared
def test_a_real_head_is_noticed(shared: Path) -> None:
    assert codes(*volume_of(shared, "head-ge-tilt")) == {"U_NOLUNGS"}
