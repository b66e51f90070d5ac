"""The phantom looks like a chest to the checks, and its nodules lie where its truth says."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from scans.dicom.checks import check_header_set, check_volume, refuse
from scans.dicom.headers import read_header
from scans.dicom.lungs import find_lungs
from scans.dicom.phantom import (
    NoduleSpec,
    Phantom,
    PhantomSpec,
    Truth,
    demo_specs,
    make_phantom,
    series_uid,
    study_uid,
    write_dicom,
)
from scans.dicom.volume import BuiltVolume, build_volume

NODULES = (
    NoduleSpec(14, "solid", "RUL"),
    NoduleSpec(16, "part_solid", "LUL"),
    NoduleSpec(15, "non_solid", "RLL"),
    NoduleSpec(12, "solid", "LLL", "spiculated"),
    NoduleSpec(12, "solid", "RML", "lobulated", pleural=True),
)
COARSE = PhantomSpec(anatomy=5, nodules=NODULES, slices=150, size=192, pixel_mm=1.9, increment_mm=1.9)


@cache
def made(spec: PhantomSpec = COARSE) -> Phantom:
    return make_phantom(spec)


def ball(phantom: Phantom, center_mm: tuple[float, float, float], radius_mm: float) -> np.ndarray:
    """Voxels around a place."""
    center = np.round(phantom.geometry.to_index(center_mm)).astype(int)
    reach = int(radius_mm / COARSE.pixel_mm) + 2
    index = center + np.indices((2 * reach + 1,) * 3).reshape(3, -1).T - reach
    near = index[np.linalg.norm(phantom.geometry.to_mm(index) - center_mm, axis=1) < radius_mm]
    return phantom.hu[tuple(near.T)]


@pytest.mark.parametrize("place", range(len(NODULES)))
def test_a_nodule_lies_where_the_truth_says(place: int) -> None:
    truth = made().truth[place]
    core = np.median(ball(made(), truth.center_mm, 2.5))
    low, high = {"solid": (-80, 120), "part_solid": (-80, 120), "non_solid": (-720, -480)}[truth.type]
    assert low < core < high


def test_a_part_solid_nodule_has_a_hazy_rim() -> None:
    truth = made().truth[1]
    rim = set(ball(made(), truth.center_mm, 7.0)) - set(ball(made(), truth.center_mm, 5.5))
    assert -750 < np.median(list(rim)) < -400


def test_without_its_nodule_the_place_is_lung() -> None:
    plain = made(replace(COARSE, nodules=()))
    for truth in made().truth[:4]:
        assert np.median(ball(plain, truth.center_mm, 4)) < -750


def test_nodules_lie_in_the_lobe_and_the_lung_that_was_asked_for() -> None:
    lungs = find_lungs(made().hu, made().geometry)
    for truth in made().truth:
        z, y, x = np.round(made().geometry.to_index(truth.center_mm)).astype(int)
        around = np.s_[z - 2 : z + 3, y - 3 : y + 4, x - 3 : x + 4]
        assert lungs.mask[around].any()
        assert (truth.center_mm[0] < 0) == truth.place.startswith("R")


def test_the_same_specification_gives_the_same_voxels() -> None:
    again = make_phantom(COARSE)
    assert np.array_equal(again.hu, made().hu)
    assert again.truth == made().truth


def test_another_patient_has_another_anatomy() -> None:
    other = made(replace(COARSE, anatomy=6, nodules=()))
    assert np.mean(np.abs(other.hu.astype(int) - made().hu) > 200) > 0.03


def test_a_prior_has_the_same_nodule_smaller() -> None:
    earlier = replace(COARSE, scan=3, nodules=(replace(NODULES[0], diameter_mm=8), *NODULES[1:]))
    prior = made(earlier)
    moved = np.subtract(prior.truth[0].center_mm, made().truth[0].center_mm)
    for one, other in zip(prior.truth[1:], made().truth[1:], strict=True):
        assert np.subtract(one.center_mm, other.center_mm) == pytest.approx(moved, abs=1e-3)
    large = (ball(made(), made().truth[0].center_mm, 7) > -300).mean()
    small = (ball(prior, prior.truth[0].center_mm, 7) > -300).mean()
    assert small < 0.45 < large


def test_contrast_medium_brightens_the_blood_and_leaves_the_lungs() -> None:
    plain = made(replace(COARSE, nodules=()))
    filled = made(replace(COARSE, nodules=(), contrast=True))
    gain = filled.hu.astype(int) - plain.hu
    aorta = gain[(plain.hu > 0) & (gain > 150)]
    assert 200 < np.median(aorta) < 280
    assert abs(np.median(gain[plain.hu < -700])) <= 1


@pytest.mark.parametrize(
    ("tissue", "low", "high"),
    [("air", -1024, -980), ("lung", -900, -820), ("muscle", 20, 80), ("fat", -125, -80)],
)
def test_tissues_have_their_density(tissue: str, low: int, high: int) -> None:
    hu = made().hu[40:120]
    ranges = {"air": (-1024, -960), "lung": (-920, -780), "muscle": (0, 100), "fat": (-140, -60)}
    inside = hu[(hu >= ranges[tissue][0]) & (hu <= ranges[tissue][1])]
    assert inside.size > 0.02 * hu.size
    assert low <= np.median(inside) <= high


@pytest.mark.parametrize("diameter", [1.9, 41])
def test_an_absurd_nodule_is_refused(diameter: float) -> None:
    with pytest.raises(ValueError, match="cannot be made"):
        NoduleSpec(diameter)


@pytest.mark.parametrize("changes", [{"slices": 4}, {"size": 32}, {"pixel_mm": 0.1}, {"increment_mm": 20}])
def test_an_absurd_phantom_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"phantom|made"):
        replace(COARSE, **changes)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    directory = tmp_path_factory.mktemp("phantom")
    study = replace(demo_specs()[0], phantom=COARSE)
    return directory, write_dicom(made(), directory, study)


def rebuilt(paths: list[Path]) -> BuiltVolume:
    headers = [read_header(path.read_bytes()) for path in paths]
    return build_volume(
        [(h, lambda p=p: io.BytesIO(p.read_bytes())) for h, p in zip(headers, paths, strict=True)]
    )


def test_the_written_files_give_back_volume_and_geometry(written: tuple[Path, list[Path]]) -> None:
    volume = rebuilt(written[1][::-1])
    assert np.array_equal(volume.hu, made().hu)
    assert volume.geometry.affine == pytest.approx(made().geometry.affine)


def test_the_truth_file_names_the_series_and_its_nodules(written: tuple[Path, list[Path]]) -> None:
    truth = json.loads((written[0] / "truth.json").read_text())
    header = read_header(written[1][0].read_bytes())
    assert truth["study_instance_uid"] == header.study_instance_uid
    assert truth["series_instance_uid"] == header.series_instance_uid
    assert [one["diameter_mm"] for one in truth["nodules"]] == [14, 16, 15, 12, 12]
    assert truth["nodules"][0]["center_mm"] == pytest.approx(made().truth[0].center_mm, abs=0.01)


def test_the_written_files_are_distinct_valid_and_pass_the_checks(written: tuple[Path, list[Path]]) -> None:
    headers = [read_header(path.read_bytes()) for path in written[1]]
    assert len({header.sop_instance_uid for header in headers}) == len(headers)
    assert all(header.sop_instance_uid.startswith("2.25.") for header in headers)
    volume = rebuilt(written[1])
    checks = (*check_header_set(headers), *check_volume(volume, find_lungs(volume.hu, volume.geometry)))
    assert not refuse(checks)
    assert {check.code for check in checks} <= {"W_NOVOL", "W_PIXEL"}


# Type 1 and 2 attributes of the CT Image IOD (PS3.3 table A.3-1).
REQUIRED = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "Modality",
    "SeriesInstanceUID",
    "SeriesNumber",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "Manufacturer",
    "InstanceNumber",
    "ImageType",
    "AcquisitionNumber",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SliceThickness",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
    "RescaleIntercept",
    "RescaleSlope",
    "KVP",
    "SOPClassUID",
    "SOPInstanceUID",
    "PatientPosition",
]


@pytest.mark.parametrize("keyword", REQUIRED)
def test_the_written_files_hold_what_the_standard_asks_for(
    keyword: str, written: tuple[Path, list[Path]]
) -> None:
    assert keyword in dcmread(written[1][0])


def test_writing_twice_gives_the_same_bytes(written: tuple[Path, list[Path]], tmp_path: Path) -> None:
    again = write_dicom(made(), tmp_path, replace(demo_specs()[0], phantom=COARSE))
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written[1]]


def test_the_demo_is_five_studies_of_four_patients() -> None:
    studies = demo_specs()
    assert len(studies) == 5
    assert sorted(Counter(study.patient.patient_id for study in studies).values()) == [1, 1, 1, 2]
    assert len({study_uid(study) for study in studies}) == 5
    assert len({series_uid(study) for study in studies}) == 5
    assert all((s.phantom.slices >= 200, s.phantom.size) == (True, 512) for s in studies)


def test_the_demo_shows_growth_every_type_and_one_clear_chest() -> None:
    prior, current, *others = demo_specs()
    assert prior.patient == current.patient
    assert prior.study_date < current.study_date
    assert prior.phantom.anatomy == current.phantom.anatomy
    assert prior.phantom.nodules[0].diameter_mm < current.phantom.nodules[0].diameter_mm
    kinds = {nodule.type for study in (current, *others) for nodule in study.phantom.nodules}
    assert kinds == {"solid", "part_solid", "non_solid"}
    assert sum(not study.phantom.nodules for study in others) == 1


def test_a_truth_is_plain_json() -> None:
    truth = Truth((1.0, 2.0, 3.14159), 8.0, "solid", "RUL", "smooth")
    assert json.loads(json.dumps(truth.to_json()))["center_mm"] == [1.0, 2.0, 3.14]
