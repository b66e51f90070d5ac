"""The same voxels give the same answer, as DICOM, NIfTI or MetaImage, whatever the order of slices and axes.

What is compared: the number of findings; centres within 0.01 mm; probabilities of being a nodule, and of
malignancy, within 0.0001; volumes and diameters within 0.0001 of their size; the outlined voxels themselves.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.cnn.data.formats import open_volume, save_volume
from inference.cnn.data.voxels import OpenedVolume
from inference.cnn.measures import measure
from inference.cnn.networks import LoadedNetworks, load_networks
from inference.cnn.read import read_volume
from inference.cnn.reading import VolumeReading
from scans.dicom.geometry import Geometry
from scans.dicom.phantom import (
    NoduleSpec,
    PatientSpec,
    Phantom,
    PhantomSpec,
    StudySpec,
    make_phantom,
    write_dicom,
)
from scans.dicom.volume import volume_digest

ROADS = ("shuffled DICOM", "MetaImage", "reversed MetaImage", "NIfTI", "NIfTI from right to left")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    """Sixty slices of 1.5 mm about a nodule of the right upper lobe; decimals that no float32 holds."""
    nodules = (NoduleSpec(14.0, "solid", "RUL"),)
    spec = PhantomSpec(11, scan=1, nodules=nodules, slices=150, size=160, pixel_mm=2.13, increment_mm=1.5)
    made = make_phantom(spec)
    middle = round(float(made.geometry.to_index(made.truth[0].center_mm)[0]))
    first = min(max(middle - 30, 0), 90)
    x, y, z = (float(v) for v in made.geometry.to_mm((first, 0, 0)))
    geometry = Geometry((60, 160, 160), made.geometry.spacing_mm, (x, y, round(z, 3)))
    return dataclasses.replace(made, hu=made.hu[first : first + 60].copy(), geometry=geometry)


@pytest.fixture(scope="module")
def roads(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same voxels in every format."""
    folder = tmp_path_factory.mktemp("roads")
    patient = PatientSpec("P1", "Same^Voxels", dt.date(1960, 1, 1), "F")
    files = write_dicom(
        phantom, folder / "dicom", StudySpec(patient, dt.date(2026, 1, 1), "S1", phantom.spec)
    )
    names = [f"{n:04d}.dcm" for n in range(len(files))]
    random.Random(5).shuffle(names)
    for file, name in zip(files, names, strict=True):
        file.rename(folder / "dicom" / name)
    save_volume(folder / "plain.mhd", phantom.hu, phantom.geometry)
    save_volume(folder / "reversed.mha", *_reversed(phantom), compressed=True)
    save_volume(folder / "plain.nii.gz", phantom.hu, phantom.geometry)
    _as_ras(folder / "plain.nii.gz", folder / "ras.nii.gz")
    stored = ("dicom", "plain.mhd", "reversed.mha", "plain.nii.gz", "ras.nii.gz")
    return {road: folder / name for road, name in zip(ROADS, stored, strict=True)}


def _reversed(phantom: Phantom) -> OpenedVolume:
    """From head to feet instead of from feet to head."""
    geometry = phantom.geometry
    x, y, z = (float(v) for v in geometry.to_mm((geometry.shape[0] - 1, 0, 0)))
    across, down, _ = geometry.direction
    turned = Geometry(geometry.shape, geometry.spacing_mm, (x, y, z), (across, down, (0.0, 0.0, -1.0)))
    return OpenedVolume(np.ascontiguousarray(phantom.hu[::-1]), turned)


def _as_ras(source: Path, target: Path) -> None:
    """The array itself turned to right-anterior-superior order, as many NIfTI tools store it."""
    nibabel.save(nibabel.as_closest_canonical(nibabel.load(source)), target)


@pytest.mark.parametrize("road", ["shuffled DICOM", "MetaImage", "NIfTI"])
def test_every_format_gives_the_very_same_voxels_at_the_very_same_place(
    phantom: Phantom, roads: dict[str, Path], road: str
) -> None:
    hu, geometry = open_volume(roads[road])

    assert np.array_equal(hu, phantom.hu)
    assert geometry == phantom.geometry


def test_the_stored_orders_do_differ(phantom: Phantom, roads: dict[str, Path]) -> None:
    reversed_hu, _ = open_volume(roads["reversed MetaImage"])
    ras_hu, ras = open_volume(roads["NIfTI from right to left"])

    assert np.array_equal(reversed_hu[::-1], phantom.hu)
    assert np.array_equal(ras_hu[:, ::-1, ::-1], phantom.hu)
    assert ras.direction[0] == (-1, 0, 0)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1, 2)])
def test_measures_do_not_depend_on_which_of_two_equal_slices_comes_first(axes: tuple[int, ...]) -> None:
    mask = np.zeros((2, 9, 9), bool)
    mask[0, 2:6, 2:6] = True
    mask[1, 4, 1:9] = mask[1, 5, 0:8] = True
    geometry = Geometry((2, 9, 9), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    signs = [-1.0 if a in axes else 1.0 for a in (2, 1, 0)]
    direction = tuple(tuple(v * s for v in row) for row, s in zip(np.eye(3).tolist(), signs, strict=True))
    flipped = Geometry((2, 9, 9), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0), direction)  # type: ignore[arg-type]

    one, other = measure(mask, geometry), measure(np.flip(mask, axes), flipped)

    assert mask[0].sum() == mask[1].sum()
    assert other.long_axis_mm == pytest.approx(one.long_axis_mm)
    assert other.short_axis_mm == pytest.approx(one.short_axis_mm)
    assert one.slice_index == 1, "the longer of the two"
    assert other.slice_index == (0 if 0 in axes else 1)


def test_of_two_equally_long_axes_the_one_that_is_wider_across_counts() -> None:
    mask = np.zeros((1, 12, 12), bool)
    mask[0, 1:11, 1:3] = mask[0, 1:3, 1:11] = True
    geometry = Geometry(mask.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))  # type: ignore[arg-type]

    found = [measure(np.flip(mask, axes), geometry) for axes in ((), (1,), (2,), (1, 2))]

    assert [f.mean_diameter_mm for f in found] == pytest.approx([found[0].mean_diameter_mm] * 4)


@pytest.fixture(scope="module")
def reading_of() -> Callable[[OpenedVolume], VolumeReading]:
    """Readings with the first four findings outlined. Equal voxels at an equal place are read once: that one
    input gives one answer is a test of its own (test_reading.py).
    """
    loaded = load_networks()
    few = dataclasses.replace(
        loaded["reduction"], manifest={**loaded["reduction"].manifest, "most_findings": 4}
    )
    networks = LoadedNetworks({**loaded.by_task, "reduction": few})
    known: dict[str, VolumeReading] = {}

    def reading(volume: OpenedVolume) -> VolumeReading:
        digest = volume_digest(*volume)
        if digest not in known:
            known[digest] = read_volume(*volume, networks=networks)
        return known[digest]

    return reading


@pytest.mark.networks
@pytest.mark.parametrize("road", ROADS)
def test_the_same_voxels_give_the_same_answer(
    reading_of: Callable[[OpenedVolume], VolumeReading], phantom: Phantom, roads: dict[str, Path], road: str
) -> None:
    volume = open_volume(roads[road])

    reading, expected = reading_of(volume), reading_of(OpenedVolume(phantom.hu, phantom.geometry))

    assert len(reading.findings) == len(expected.findings) == 4
    assert reading.scan_probability == pytest.approx(expected.scan_probability, abs=1e-4)
    for found, wanted in zip(reading.findings, expected.findings, strict=True):
        assert found.center_mm == pytest.approx(wanted.center_mm, abs=0.01)
        assert found.p_nodule == pytest.approx(wanted.p_nodule, abs=1e-4)
        assert found.malignancy == pytest.approx(wanted.malignancy, abs=1e-4)
        assert found.mean_diameter_mm == pytest.approx(wanted.mean_diameter_mm, rel=1e-4)
        assert found.volume_mm3 == pytest.approx(wanted.volume_mm3, rel=1e-4)
        assert (found.type, found.side) == (wanted.type, wanted.side)
        theirs = _places(found.mask, found.start, volume.geometry, phantom.geometry)
        ours = _places(wanted.mask, wanted.start, phantom.geometry, phantom.geometry)
        assert theirs == ours, "the same voxels of the patient are outlined"


def _places(
    mask: NDArray[np.bool_], start: tuple[int, int, int], geometry: Geometry, grid: Geometry
) -> set[tuple[int, ...]]:
    """The voxels of `grid` that an outline on `geometry` holds."""
    at = grid.to_index(geometry.to_mm(np.argwhere(mask) + start))
    assert np.abs(at - np.rint(at)).max() < 1e-3
    return {tuple(place) for place in np.rint(at).astype(int).tolist()}
