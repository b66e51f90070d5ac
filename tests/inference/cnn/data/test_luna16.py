"""LUNA16 as published, on phantoms in its format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.cnn.data.luna16 import LunaScan, luna16_scans
from inference.cnn.data.nodules import nodule_samples
from inference.cnn.data.phantoms import phantom_luna16
from scans.dicom.lungs import find_lungs
from scans.dicom.phantom import Phantom
from scans.dicom.refusal import Refused


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Phantom]]:
    folder = tmp_path_factory.mktemp("luna16")
    return folder, phantom_luna16(folder, patients=2)


@pytest.fixture(scope="module")
def scans(published: tuple[Path, list[Phantom]]) -> dict[str, LunaScan]:
    return {scan.series_instance_uid: scan for scan in luna16_scans(published[0])}


def test_scans_come_with_their_nodules_candidates_and_lungs(
    published: tuple[Path, list[Phantom]], scans: dict[str, LunaScan]
) -> None:
    assert len(scans) == 2
    first = published[1][0]
    scan = next(s for s in scans.values() if s.nodules[0].center_mm == first.truth[0].center_mm)
    hu, geometry = scan.read()
    lungs = scan.lungs()

    assert np.array_equal(hu, first.hu)
    assert geometry == first.geometry
    assert [n.diameter_mm for n in scan.nodules] == [22, 16]
    assert [c.is_nodule for c in scan.candidates] == [True, True, False, False, False, False]
    assert lungs is not None
    assert np.array_equal(lungs, find_lungs(first.hu, first.geometry).mask)


def test_listed_nodules_become_balls_of_their_diameter_at_their_place(
    published: tuple[Path, list[Phantom]],
) -> None:
    rows = nodule_samples(published[0])

    assert len(rows) == 4
    for row in rows:
        ball = np.pi / 6 * row.diameter_mm**3
        assert row.masks[0].sum() * np.prod(row.spacing_mm) == pytest.approx(ball, rel=0.15)
        assert row.hu[row.masks[0]].mean() > -150, "the ball lies on the solid nodule"
        assert row.malignancy == ()


def test_a_scan_without_nodules_is_a_scan(tmp_path: Path) -> None:
    phantom_luna16(tmp_path, patients=1)
    lines = (tmp_path / "annotations.csv").read_text().splitlines()
    (tmp_path / "annotations.csv").write_text(lines[0] + "\n")

    assert [scan.nodules for scan in luna16_scans(tmp_path)] == [()]
    assert nodule_samples(tmp_path) == []


def test_missing_annotations_are_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"annotations\.csv"):
        list(luna16_scans(tmp_path))


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "annotations.csv").write_text("uid,x,y,z\n1,2,3,4\n")

    with pytest.raises(Refused, match="diameter_mm"):
        list(luna16_scans(tmp_path))
