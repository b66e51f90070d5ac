"""The whole reading with the shipped networks, on real scans and on made ones."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.cnn.networks import load_networks
from inference.cnn.read import STAGES, read_volume
from inference.cnn.reading import FoundNodule, VolumeReading
from scans.dicom.geometry import Geometry, Triple
from tests.inference.cnn.series import volume_of

pytestmark = pytest.mark.networks

SHAPE = (40, 128, 128)
SPACING = (3.0, 2.4, 2.4)

N1, N2, N3 = (72.12, 76.96, -190.71), (23.58, -47.6, -172.3), (-47.24, -30.07, -169.61)
BALL = (60.0, -10.0, 100.0)
TUMOUR = (-53.6, -100.87, 211.31)


@pytest.fixture(scope="module")
def chest() -> tuple[NDArray[np.int16], Geometry]:
    """Two plain lungs in a body, one ball of 16 mm in the left one."""
    z, y, x = np.indices(SHAPE)
    mm = (z * 3.0, y * 2.4, x * 2.4)
    hu = np.full(SHAPE, -1000, np.int16)
    hu[((mm[1] - 150) / 105) ** 2 + ((mm[2] - 154) / 135) ** 2 <= 1] = 40
    for middle in (90, 215):
        lung = ((mm[0] - 60) / 55) ** 2 + ((mm[1] - 150) / 65) ** 2 + ((mm[2] - middle) / 45) ** 2 <= 1
        hu[lung] = -850
    noise = np.random.default_rng(3).normal(0, 12, SHAPE)
    hu = (hu + noise).astype(np.int16)
    hu[(mm[0] - 60) ** 2 + (mm[1] - 150) ** 2 + (mm[2] - 210) ** 2 <= 64] = 30
    return hu, Geometry(SHAPE, SPACING, (-150.0, -160.0, 40.0))


def inside(finding: FoundNodule, place: Triple, geometry: Geometry) -> bool:
    """Whether a place lies in the outline."""
    at = np.rint(geometry.to_index(place)).astype(int) - finding.start
    within = (at >= 0).all() and (at < finding.mask.shape).all()
    return bool(within and finding.mask[tuple(at)])


def distance(finding: FoundNodule, place: Triple) -> float:
    return float(np.linalg.norm(np.subtract(finding.center_mm, place)))


def test_a_ball_in_a_plain_lung_is_found_outlined_and_measured(
    chest: tuple[NDArray[np.int16], Geometry],
) -> None:
    told: list[str] = []

    reading = read_volume(*chest, progress=lambda stage, part: told.append(stage))

    found = [f for f in reading.findings if distance(f, BALL) < 4]
    assert found
    assert found[0].side == "left"
    assert found[0].type == "solid"
    assert found[0].mean_diameter_mm == pytest.approx(16, abs=4)
    assert list(dict.fromkeys(stage.split()[0] for stage in told)) == list(STAGES)
    assert any(re.fullmatch(r"reduction of \d+ candidates", stage) for stage in told)
    precision = load_networks()["candidates"].precision
    assert set(reading.timings_s) == {*STAGES, f"candidates_in_{precision}"}
    assert reading.networks == load_networks().networks


def test_the_same_scan_reads_the_same_twice(chest: tuple[NDArray[np.int16], Geometry]) -> None:
    first, second = read_volume(*chest), read_volume(*chest)

    assert [f.center_mm for f in first.findings] == [f.center_mm for f in second.findings]
    assert first.scan_probability == second.scan_probability


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_centres_do_not_depend_on_the_order_of_slices_and_rows(
    chest: tuple[NDArray[np.int16], Geometry], axes: tuple[int, ...]
) -> None:
    hu, geometry = chest
    corner = tuple(float(v) for v in geometry.to_mm([SHAPE[a] - 1 if a in axes else 0 for a in range(3)]))
    signs = [-1.0 if a in axes else 1.0 for a in (2, 1, 0)]
    direction = tuple(tuple(v * s for v in row) for row, s in zip(np.eye(3).tolist(), signs, strict=True))
    turned = Geometry(SHAPE, SPACING, corner, direction)  # type: ignore[arg-type]

    plain = read_volume(hu, geometry)
    flipped = read_volume(np.ascontiguousarray(np.flip(hu, axes)), turned)

    assert _facts(flipped) == pytest.approx(_facts(plain), abs=1e-6)
    assert [inside(f, f.center_mm, turned) for f in flipped.findings] == [
        inside(f, f.center_mm, geometry) for f in plain.findings
    ]


def _facts(reading: VolumeReading) -> NDArray[np.float64]:
    return np.array([[*f.center_mm, f.long_axis_mm, f.volume_mm3, f.p_nodule] for f in reading.findings])


@pytest.mark.parametrize("value", [-1000, 60])
def test_a_volume_without_lungs_has_no_findings(value: int) -> None:
    hu = np.full((12, 64, 64), value, np.int16)

    reading = read_volume(hu, Geometry(hu.shape, (5.0, 4.0, 4.0), (0.0, 0.0, 0.0)))

    assert reading.findings == ()
    assert reading.lung_ml == 0
    assert reading.confidence == "low"
    assert reading.scan_probability < 0.05


def test_values_beyond_the_scale_of_hounsfield_are_ordinary_input(
    chest: tuple[NDArray[np.int16], Geometry],
) -> None:
    hu, geometry = chest
    wild = hu.copy()
    wild[hu < -950] = -2048
    wild[:, 60:64, 60:64] = 5892

    reading = read_volume(wild, geometry)

    assert any(distance(f, BALL) < 4 for f in reading.findings)


def test_a_volume_that_is_not_of_its_geometry_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        read_volume(np.zeros((2, 3, 4), np.int16), Geometry((2, 3, 5), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))


@pytest.mark.shared
def test_the_three_nodules_that_four_readers_marked_lead_the_list(shared: Path) -> None:
    hu, geometry = volume_of(shared, "lidc-idri-0003")

    findings = read_volume(hu, geometry).findings

    assert list(findings) == sorted(findings, key=lambda f: -f.p_nodule)
    assert len(findings) <= 20
    for place, diameter in ((N1, 22.9), (N2, 9.6), (N3, 13.6)):
        near = [f for f in findings[:8] if distance(f, place) <= diameter / 2 and inside(f, place, geometry)]
        assert near, f"no finding at {place}"


@pytest.mark.shared
def test_the_hilar_tumour_in_thick_slices_is_among_the_first_three(shared: Path) -> None:
    hu, geometry = volume_of(shared, "lung-dx-a0002-b40f")

    reading = read_volume(hu, geometry)

    assert reading.confidence == "low"
    assert any(inside(f, TUMOUR, geometry) or distance(f, TUMOUR) < 30 for f in reading.findings[:3])


@pytest.mark.shared
def test_a_head_has_no_lungs_and_no_findings(shared: Path) -> None:
    assert read_volume(*volume_of(shared, "head-ge-tilt")).findings == ()
