"""Real series end as the clinic expects."""

from __future__ import annotations

import csv
import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from scans.dicom.checks import Check, check_header_set, check_volume, reason, refuse
from scans.dicom.headers import Header, read_header
from scans.dicom.lungs import find_lungs
from scans.dicom.volume import BuiltVolume, build_volume
from tests.real_series import files_of

pytestmark = pytest.mark.shared


@cache
def opened(shared: Path, name: str) -> tuple[list[Header], BuiltVolume]:
    files = files_of(shared, name)
    headers = [read_header(file) for file in files]
    openers = [lambda file=file: io.BytesIO(file) for file in files]
    return headers, build_volume(zip(headers, openers, strict=True))


def checks_of(shared: Path, name: str) -> tuple[Check, ...]:
    headers, volume = opened(shared, name)
    return (*check_header_set(headers), *check_volume(volume, find_lungs(volume.hu, volume.geometry)))


def test_the_thin_chest_may_be_read(shared: Path) -> None:
    checks = checks_of(shared, "lidc-idri-0003")
    assert not refuse(checks)
    assert {check.code for check in checks} == {"W_NOVOL", "W_CONTRAST", "W_NOAGE"}


def test_the_thick_chest_is_refused_for_its_slices(shared: Path) -> None:
    checks = checks_of(shared, "lung-dx-a0002-b40f")
    assert refuse(checks)[0].code == "E_THICK"
    assert reason(checks).startswith("Slices of 8.0 mm are too thick for nodule analysis.")


def test_the_tilted_head_is_refused_for_having_no_lungs(shared: Path) -> None:
    checks = checks_of(shared, "head-ge-tilt")
    assert [check.code for check in refuse(checks)] == ["E_BODYPART", "E_THICK", "E_MISSING", "E_FEW"]
    assert reason(checks).startswith("No lungs found in this series.")
    assert {"W_TILT", "W_SHEAR", "W_BODYPART"} <= {check.code for check in checks}


def test_the_tilted_stack_is_straightened(shared: Path) -> None:
    _, volume = opened(shared, "head-ge-tilt")
    assert volume.unsheared_degrees == pytest.approx(18.5, abs=0.1)
    assert volume.geometry.direction[1] == pytest.approx((0, 0.9483, -0.3173), abs=1e-3)
    assert volume.geometry.direction[2] == pytest.approx((0, 0.3173, 0.9483), abs=1e-3)
    assert volume.hu.shape[1] > 512


def test_marked_nodules_lie_where_the_readers_saw_them(shared: Path) -> None:
    _, volume = opened(shared, "lidc-idri-0003")
    with (shared / "data" / "dicom" / "truth.csv").open() as file:
        truth = [
            row
            for row in csv.DictReader(file)
            if row["series"] == "lidc-idri-0003" and row["kind"] == "nodule>=3mm" and row["readers"] == "4"
        ]
    assert len(truth) == 3
    for row in truth:
        z, y, x = volume.geometry.to_index([float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")])
        assert round(z) == int(row["slice_index_from_feet"])
        assert (y, x) == pytest.approx((float(row["row_px"]), float(row["col_px"])), abs=0.1)
        assert volume.sop_instance_uids[round(z)] == row["SOPInstanceUID"]
        around = volume.hu[round(z), round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3]
        assert np.median(around) > -200


def test_air_and_padding_are_one_value(shared: Path) -> None:
    _, volume = opened(shared, "lidc-idri-0003")
    assert volume.hu.min() == -1024
    assert volume.hu.max() == 5892
    assert np.all(volume.hu[:, 0, 0] == -1024)
