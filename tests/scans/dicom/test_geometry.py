"""Voxels and patient millimetres lead to each other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scans.dicom.geometry import Geometry

lengths = st.floats(0.2, 12)
places = st.floats(-2000, 2000)
angles = st.floats(-3.1, 3.1)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Any orientation, tilted stacks included."""
    a, b, c = (draw(angles) for _ in range(3))
    turns = [
        np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]),
        np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]),
        np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]),
    ]
    axes = turns[0] @ turns[1] @ turns[2]
    lean = draw(st.floats(-0.4, 0.4))
    step = axes[2] + lean * axes[1]
    rows = [*axes[:2].tolist(), (step / np.linalg.norm(step)).tolist()]
    spacing = (draw(lengths), draw(lengths), draw(lengths))
    origin = (draw(places), draw(places), draw(places))
    return Geometry((40, 512, 512), spacing, origin, tuple(tuple(row) for row in rows))


@given(geometries(), st.tuples(places, places, places))
def test_an_index_comes_back_from_millimetres(geometry: Geometry, index: tuple[float, float, float]) -> None:
    assert np.allclose(geometry.to_index(geometry.to_mm(index)), index, atol=1e-4)


@given(geometries(), st.tuples(places, places, places))
def test_millimetres_come_back_from_an_index(geometry: Geometry, mm: tuple[float, float, float]) -> None:
    assert np.allclose(geometry.to_mm(geometry.to_index(mm)), mm, atol=1e-6)


@given(geometries())
def test_one_step_along_an_axis_is_its_spacing(geometry: Geometry) -> None:
    origin = geometry.to_mm((0, 0, 0))
    for axis, spacing in enumerate(geometry.spacing_mm):
        assert np.isclose(np.linalg.norm(geometry.to_mm(np.eye(3)[axis]) - origin), spacing)


def test_a_leaning_stack_has_smaller_voxels() -> None:
    upright = Geometry((2, 2, 2), (2.0, 1.0, 1.0), (0, 0, 0))
    lean = (0.0, float(np.sin(0.3)), float(np.cos(0.3)))
    leaning = Geometry((2, 2, 2), (2.0, 1.0, 1.0), (0, 0, 0), ((1, 0, 0), (0, 1, 0), lean))
    assert leaning.voxel_mm3 == pytest.approx(upright.voxel_mm3 * np.cos(0.3))


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": (0, 4, 4)},
        {"spacing_mm": (1.0, 0.0, 1.0)},
        {"direction": ((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))},
    ],
)
def test_an_impossible_grid_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"volume|Voxel"):
        Geometry(**{"shape": (4, 4, 4), "spacing_mm": (1.0, 1.0, 1.0), "origin_mm": (0, 0, 0), **changes})


@pytest.mark.shared
def test_the_clinical_vectors_for_positions_and_volumes_hold(shared: Path) -> None:
    vectors = [
        v for v in json.loads((shared / "clinical_vectors.json").read_text()) if v["rule"] == "measurement"
    ]
    operations = {"patient_position": _position, "voxel_volume_mm3": _volume}
    tried = [vector for vector in vectors if vector["inputs"]["op"] in operations]
    assert len(tried) >= 3
    for vector in tried:
        found = operations[vector["inputs"]["op"]](vector["inputs"])
        assert np.allclose(found, next(iter(vector["expected"].values())), atol=1e-6)


def _position(one: dict[str, object]) -> np.ndarray:
    iop = np.array(one["iop"], float)
    direction = tuple(map(tuple, (iop[:3], iop[3:], np.cross(iop[:3], iop[3:]))))
    spacing = (1.0, one["row_spacing_mm"], one["col_spacing_mm"])
    return Geometry((1, 9, 9), spacing, tuple(one["ipp"]), direction).to_mm((0, one["row"], one["col"]))


def _volume(one: dict[str, object]) -> float:
    spacing = (one["slice_increment_mm"], one["row_spacing_mm"], one["col_spacing_mm"])
    return one["voxels"] * Geometry((1, 1, 1), spacing, (0, 0, 0)).voxel_mm3
