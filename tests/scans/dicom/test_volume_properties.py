"""Whatever way a scanner writes it, the same body becomes the same volume."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scans.dicom.checks import check_header_set
from scans.dicom.headers import read_header
from scans.dicom.orientation import standard
from scans.dicom.volume import BuiltVolume, build_volume
from tests.dicom_files import ct_image

BODY = np.random.default_rng(11).integers(-900, 900, (7, 12, 10)).astype(np.int16)
ORIGIN = np.array([-5.0, -7.0, -120.0])
PIXEL_MM, STEP_MM = 0.75, 2.0

NODULE_MM = np.array([3.0, 6.0, 21.0])
RADIUS_MM = 6.0


def build(files: Sequence[bytes]) -> BuiltVolume:
    return build_volume([(read_header(file), lambda file=file: file) for file in files])


def written(plane: NDArray[np.int16], *, signed: bool, slope: float, intercept: int) -> dict[str, Any]:
    stored = np.rint((plane - np.float64(intercept)) / slope).astype("<i2" if signed else "<u2")
    rows, columns = plane.shape
    return {
        "Rows": rows,
        "Columns": columns,
        "PixelData": stored.tobytes(),
        "PixelRepresentation": int(signed),
        "RescaleSlope": slope,
        "RescaleIntercept": intercept,
    }


def body_file(k: int, *, signed: bool, slope: float, intercept: int, upside_down: bool) -> bytes:
    """Slice k; upside down its rows run to the front, so that its normal points to the feet."""
    plane = BODY[k, ::-1] if upside_down else BODY[k]
    origin = ORIGIN + np.array([0, PIXEL_MM * (len(plane) - 1) if upside_down else 0, STEP_MM * k])
    return ct_image(
        k + 1,
        PixelSpacing=[PIXEL_MM, PIXEL_MM],
        SliceThickness=STEP_MM,
        ImagePositionPatient=origin.tolist(),
        ImageOrientationPatient=[1, 0, 0, 0, -1 if upside_down else 1, 0],
        **written(plane, signed=signed, slope=slope, intercept=intercept),
    )


REFERENCE = build(
    [body_file(k, signed=True, slope=1, intercept=-1024, upside_down=False) for k in range(len(BODY))]
)


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(len(BODY))),
    signed=st.booleans(),
    intercepts=st.lists(st.integers(-1500, -1024), min_size=len(BODY), max_size=len(BODY)),
    slopes=st.lists(st.sampled_from([1.0, 0.5]), min_size=len(BODY), max_size=len(BODY)),
    upside_down=st.booleans(),
)
def test_order_sign_rescale_and_normal_make_no_difference(
    order: list[int], signed: bool, intercepts: list[int], slopes: list[float], upside_down: bool
) -> None:
    volume = build(
        [
            body_file(k, signed=signed, slope=slopes[k], intercept=intercepts[k], upside_down=upside_down)
            for k in order
        ]
    )
    seen = standard(volume.hu, volume.geometry)
    assert np.array_equal(seen.hu, BODY)
    assert np.allclose(seen.geometry.affine, REFERENCE.geometry.affine)
    if not upside_down:
        assert volume.digest == REFERENCE.digest


@settings(max_examples=15, deadline=None)
@given(count=st.integers(6, 30), data=st.data())
def test_a_missing_slice_is_always_said(count: int, data: st.DataObject) -> None:
    missing = data.draw(st.integers(1, count - 2))
    files = [ct_image(k + 1, ImagePositionPatient=[0, 0, k * 1.25]) for k in range(count) if k != missing]
    checks = check_header_set([read_header(file) for file in files])
    assert [check.value for check in checks if check.code == "E_MISSING"] == [1]


@settings(max_examples=15, deadline=None)
@given(copied=st.integers(0, 5), same=st.booleans())
def test_a_doubled_position_is_always_counted(copied: int, same: bool) -> None:
    files = [ct_image(k + 1, hu=-800 + k, ImagePositionPatient=[0, 0, 2.0 * k]) for k in range(6)]
    again = ct_image(50, hu=-800 + copied if same else 99, ImagePositionPatient=[0, 0, 2.0 * copied])
    volume = build(random.Random(copied).sample([*files, again], 7))
    assert (len(volume.hu), volume.duplicates, volume.conflicts) == (6, int(same), int(not same))


def nodule_at(points_mm: NDArray[np.float64]) -> NDArray[np.int16]:
    """HU of a ball of 6 mm radius in air, its edge 1 mm soft, at LPS points (..., 3)."""
    distance = np.linalg.norm(points_mm - NODULE_MM, axis=-1)
    return (-1000 + 1040 * np.clip(RADIUS_MM + 0.5 - distance, 0, 1)).astype(np.int16)


def tilted_slice(k: int, tilt: float, turned: bool) -> bytes:
    """Slice k of a table that moves along z under a gantry tilted by that angle (degrees)."""
    row = np.array([1.0, 0, 0])
    column = np.array([0, np.cos(np.radians(tilt)), -np.sin(np.radians(tilt))]) * (-1 if turned else 1)
    first = np.array([-24.0, -24.0 if not turned else 24.0, 1.5 * k])
    y, x = np.mgrid[0:64, 0:64] * PIXEL_MM
    plane = nodule_at(first + x[..., None] * row + y[..., None] * column)
    return ct_image(
        k + 1,
        PixelSpacing=[PIXEL_MM, PIXEL_MM],
        SliceThickness=1.5,
        ImagePositionPatient=first.round(6).tolist(),
        ImageOrientationPatient=[*row, *column.round(8).tolist()],
        **written(plane, signed=True, slope=1, intercept=-1024),
    )


@settings(max_examples=10, deadline=None)
@given(tilt=st.floats(-20, 20), turned=st.booleans())
def test_a_nodule_of_a_tilted_scan_stays_within_a_millimetre_and_round(tilt: float, turned: bool) -> None:
    volume = build([tilted_slice(k, tilt, turned) for k in range(28)])
    inside = np.argwhere(volume.hu > -480)
    center = volume.geometry.to_mm(inside).mean(axis=0)
    assert np.linalg.norm(center - NODULE_MM) < 1.0
    assert len(inside) * volume.geometry.voxel_mm3 == pytest.approx(4 / 3 * np.pi * RADIUS_MM**3, rel=0.08)
    x, y, z = np.asarray(volume.geometry.direction)
    assert abs(x @ z) < 0.02
    assert abs(y @ z) < 0.02
    size_mm = np.ptp(inside, axis=0) * volume.geometry.spacing_mm
    assert np.ptp(size_mm) < 2.5


def test_an_upright_scan_is_not_resampled() -> None:
    assert build([tilted_slice(k, 0.0, False) for k in range(28)]).unsheared_degrees == 0
