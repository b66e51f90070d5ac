"""Each acquisition check speaks up at its limit, and only there (CLINICAL section 2)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scans.dicom.checks import (
    Candidate,
    Check,
    as_check,
    check_header_set,
    check_pair,
    check_volume,
    choose_series,
    reason,
    refuse,
    summarise,
)
from scans.dicom.checks.check import Level
from scans.dicom.geometry import Geometry
from scans.dicom.headers import Header, read_header
from scans.dicom.refusal import Refused
from scans.dicom.volume import BuiltVolume
from tests.dicom_files import ct_image

BASE = read_header(ct_image(PatientAge="062Y", PatientBirthDate="", ConvolutionKernel="STANDARD"))


def series(count: int = 400, increment: float = 0.8, step: float = 0.0, **changes: Any) -> list[Header]:
    """Headers of one series; `step` widens the gap in the middle to that many mm."""
    positions = np.arange(count) * increment
    if step:
        positions[count // 2 :] += step - increment
    return [
        replace(
            BASE,
            sop_instance_uid=f"2.25.{k}",
            image_position=(0.0, 0.0, float(z)),
            **{"slice_thickness": 1.0, "manufacturer": "GE MEDICAL SYSTEMS", **changes},
        )
        for k, z in enumerate(positions)
    ]


def codes(headers: list[Header], **options: bool) -> list[str]:
    return sorted(check.code for check in check_header_set(headers, **options))


def the(code: str, headers: list[Header]) -> Check:
    return next(check for check in check_header_set(headers) if check.code == code)


def test_a_thin_plain_chest_raises_nothing() -> None:
    assert codes(series()) == []


@pytest.mark.shared
def test_all_acquisition_vectors_hold(shared: Path) -> None:
    vectors = json.loads((shared / "clinical_vectors.json").read_text())
    tried = [vector for vector in vectors if vector["rule"] == "acquisition"]
    assert len(tried) == 22
    for vector in tried:
        headers = _of_vector(vector["inputs"])
        assert codes(headers) == vector["expected"]["codes"], vector["id"]
        assert bool(refuse(check_header_set(headers))) == vector["expected"]["refuse"], vector["id"]


def _of_vector(one: dict[str, Any]) -> list[Header]:
    step = one["max_step_mm"] if one["max_step_mm"] != one["increment_mm"] else 0.0
    return series(
        one["n_slices"],
        one["increment_mm"],
        step,
        modality=one["modality"],
        image_type=tuple(one["image_type"]),
        slice_thickness=one["thickness_mm"],
        pixel_spacing=(one["pixel_mm"], one["pixel_mm"]),
        patient_age_years=one["age"],
        contrast_agent=one["contrast"],
        lossy=one["lossy"] == "01",
    )


TILT_25 = (1.0, 0.0, 0.0, 0.0, 0.906308, -0.422618)
TILT_10 = (1.0, 0.0, 0.0, 0.0, 0.984808, -0.173648)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"modality": "PT"}, "E_MODALITY"),
        ({"number_of_frames": 3}, "E_MULTIFRAME"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "E_IMAGETYPE"),
        ({"image_type": ("ORIGINAL", "SECONDARY", "AXIAL")}, "E_IMAGETYPE"),
        ({"image_type": ("DERIVED", "PRIMARY", "MPR")}, "E_IMAGETYPE"),
        ({"image_type": ("DERIVED", "PRIMARY", "AXIAL")}, "W_DERIVED"),
        ({"image_type": ()}, "W_DERIVED"),
        ({"image_orientation": TILT_25}, "E_NOTAXIAL"),
        ({"image_orientation": CORONAL}, "E_NOTAXIAL"),
        ({"image_orientation": TILT_10}, "W_TILT"),
        ({"gantry_tilt": -1.5}, "W_TILT"),
        ({"body_part": "HEAD"}, "W_BODYPART"),
        ({"lossy": True}, "E_COMPRESS"),
        ({"slice_thickness": 5.1}, "E_THICK"),
        ({"slice_thickness": 2.6}, "W_THICK"),
        ({"slice_thickness": 1.6}, "W_NOVOL"),
        ({"slice_thickness": 1.25}, "I_THIN"),
        ({"slice_thickness": 0.7}, "W_GAP"),
        ({"image_orientation": None}, "E_GEOM"),
        ({"image_orientation": (1.0, 0.0, 0.0, 0.5, 0.5, 0.0)}, "E_GEOM"),
        ({"pixel_spacing": None}, "E_GEOM"),
        ({"rescale_slope": None}, "E_RESCALE"),
        ({"rescale_slope": 0.0}, "E_RESCALE"),
        ({"rescale_type": "PCT"}, "E_RESCALE"),
        ({"pixel_spacing": (1.01, 1.01)}, "W_PIXEL"),
        ({"convolution_kernel": "BONEPLUS"}, "W_KERNEL"),
        ({"contrast_agent": "IOMERON"}, "W_CONTRAST"),
        ({"patient_age_years": 17}, "E_AGE"),
        ({"patient_age_years": 34}, "W_AGE"),
        ({"patient_age_years": None}, "W_NOAGE"),
    ],
)
def test_a_check_speaks_up(changes: dict[str, Any], code: str) -> None:
    assert code in codes(series(**changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"image_type": ("ORIGINAL", "PRIMARY", "AXIAL", "HELIX")}, "E_IMAGETYPE"),
        ({"gantry_tilt": 1.0}, "W_TILT"),
        ({"body_part": "CHEST_TO_PELVIS"}, "W_BODYPART"),
        ({"body_part": "Thorax"}, "W_BODYPART"),
        ({"body_part": ""}, "W_BODYPART"),
        ({"slice_thickness": 5.0}, "E_THICK"),
        ({"slice_thickness": 2.5}, "W_THICK"),
        ({"slice_thickness": 1.5}, "W_NOVOL"),
        ({"slice_thickness": 1.0}, "I_THIN"),
        ({"slice_thickness": 0.8}, "W_GAP"),
        ({"pixel_spacing": (1.0, 1.0)}, "W_PIXEL"),
        ({"contrast_agent": "None"}, "W_CONTRAST"),
        ({"patient_age_years": 18}, "E_AGE"),
        ({"patient_age_years": 35}, "W_AGE"),
        ({"rescale_type": "US"}, "E_RESCALE"),
    ],
)
def test_a_check_is_silent_at_its_limit(changes: dict[str, Any], code: str) -> None:
    assert code not in codes(series(**changes))


@pytest.mark.parametrize(
    ("maker", "kernel", "sharp"),
    [
        ("SIEMENS", "B60f", True),
        ("Siemens Healthineers", "Br64d\\3", True),
        ("SIEMENS", "B50f", False),
        ("GE MEDICAL SYSTEMS", "LUNG", True),
        ("GE MEDICAL SYSTEMS", "STANDARD", False),
        ("Philips", "YA", True),
        ("Philips", "B", False),
        ("TOSHIBA", "FC51", True),
        ("Canon Medical Systems", "FC18", False),
        ("Unknown maker", "LUNG", False),
    ],
)
def test_a_sharp_kernel_is_known_by_its_maker(maker: str, kernel: str, sharp: bool) -> None:
    found = codes(series(manufacturer=maker, convolution_kernel=kernel))
    assert ("W_KERNEL" in found) == sharp


def test_the_dose_is_held_against_the_limit_in_screening_only() -> None:
    headers = series(ctdi_vol=3.1)
    assert codes(headers) == []
    assert codes(headers, screening=True) == ["W_DOSE"]
    assert codes(series(ctdi_vol=3.0), screening=True) == []


@pytest.mark.parametrize(
    ("count", "increment", "few"), [(49, 5.0, True), (50, 5.0, False), (187, 0.8, True), (190, 0.8, False)]
)
def test_a_short_scan_is_refused(count: int, increment: float, few: bool) -> None:
    assert ("E_FEW" in codes(series(count, increment))) == few


def test_missing_slices_are_counted() -> None:
    headers = series()
    del headers[100:102]
    assert the("E_MISSING", headers).sentence == "2 slices are missing or unevenly spaced."
    assert "E_MISSING" not in codes(series(step=1.19))


def test_uneven_steps_in_more_than_two_percent_of_slices_are_refused() -> None:
    def shaken(every: int) -> list[Header]:
        return [
            replace(header, image_position=(0.0, 0.0, k * 0.8 + (0.1 if k % every == 0 else 0.0)))
            for k, header in enumerate(series())
        ]

    assert "E_MISSING" in codes(shaken(20))
    assert "E_MISSING" not in codes(shaken(150))


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 256},
        {"pixel_spacing": (0.9, 0.9)},
        {"image_orientation": TILT_10},
        {"convolution_kernel": "LUNG"},
        {"frame_of_reference_uid": "2.25.5"},
    ],
)
def test_a_series_of_several_geometries_is_refused(change: dict[str, Any]) -> None:
    headers = series()
    headers[7] = replace(headers[7], **change)
    assert "E_MIXED" in codes(headers)


def test_the_rounding_of_its_writer_does_not_mix_a_series() -> None:
    headers = series()
    headers[7] = replace(headers[7], image_orientation=(1.0, 0.0005, 0.0, 0.0, 1.0, -0.0004))
    assert codes(headers) == []


def test_images_at_the_same_place_do_not_disturb_the_steps() -> None:
    headers = series()
    copies = [replace(header, sop_instance_uid=f"{header.sop_instance_uid}.1") for header in headers[:50]]
    assert codes(headers + copies) == []


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"slice_thickness": 8.0}, "E_THICK", "Slices of 8.0 mm are too thick for nodule analysis."),
        ({"body_part": "HEAD"}, "W_BODYPART", "Body part is labelled 'HEAD'."),
        ({"modality": "MR"}, "E_MODALITY", "Not a CT series; not analysed."),
    ],
)
def test_sentences_are_filled_with_their_figures(changes: dict[str, Any], code: str, sentence: str) -> None:
    assert the(code, series(**changes)).sentence == sentence


def test_the_weightiest_reason_comes_first_and_warnings_give_none() -> None:
    checks = check_header_set(series(40, 8.0, slice_thickness=8.0, patient_age_years=16))
    assert [check.code for check in refuse(checks)] == ["E_AGE", "E_THICK", "E_FEW"]
    assert reason(checks).startswith("Not intended for patients under 18. Slices of 8.0 mm")
    assert reason(check_header_set(series(slice_thickness=2.5))) == ""


def test_a_check_survives_json() -> None:
    check = the("E_THICK", series(slice_thickness=8.0))
    assert Check.from_json(json.loads(json.dumps(check.to_json()))) == check
    assert (check.level, check.value, check.limit) == (Level.REFUSE, 8.0, 5.0)


def test_a_refusal_of_the_volume_builder_is_a_check_too() -> None:
    check = as_check(Refused("E_MIXED", "Series mixes different geometries."))
    assert refuse([check]) == (check,)


@dataclass(frozen=True)
class Lungs:
    right_ml: float = 2500.0
    left_ml: float = 2200.0
    touches_first_or_last_slice: bool = False
    touches_in_plane_border: float = 0.0


def volume(air: int = -1000, body: int = 40, **changes: Any) -> BuiltVolume:
    hu = np.full((12, 96, 96), air, np.int16)
    hu[:, 20:76, 14:82] = body
    geometry = Geometry(hu.shape, (2.0, 4.0, 4.0), (0, 0, 0))
    return replace(BuiltVolume(hu, geometry, "", (), (), ()), **changes)


@pytest.mark.parametrize(
    ("changes", "lungs", "expected"),
    [
        ({}, Lungs(), []),
        ({}, Lungs(left_ml=299.0), ["E_BODYPART"]),
        ({}, Lungs(0, 0, True, 1.0), ["E_BODYPART"]),
        ({}, Lungs(300.0, 300.0), []),
        ({}, Lungs(touches_first_or_last_slice=True), ["W_COVER"]),
        ({}, Lungs(touches_in_plane_border=0.011), ["W_FOV"]),
        ({}, Lungs(touches_in_plane_border=0.01), []),
        ({"duplicates": 3}, Lungs(), ["W_DUP"]),
        ({"conflicts": 1}, Lungs(), ["E_MIXED"]),
        ({"air": -880}, Lungs(), ["W_HU"]),
        ({"air": 24, "body": 1064}, Lungs(), ["W_HU"]),
    ],
)
def test_the_checks_on_voxels_speak_up(changes: dict[str, Any], lungs: Lungs, expected: list[str]) -> None:
    assert [check.code for check in check_volume(volume(**changes), lungs)] == expected


@pytest.mark.parametrize("part", ["round padding", "no air around"])
def test_padding_and_a_filled_picture_do_not_look_like_an_unusual_scale(part: str) -> None:
    built = volume()
    if part == "round padding":
        built.hu[:, np.hypot(*np.mgrid[-48:48, -48:48]) > 48] = -1024
    else:
        built.hu[:] = 40
        built.hu[:, 40:50, 40:60] = -995
    assert check_volume(built, Lungs()) == ()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"slice_thickness": 1.6}, "slice thickness"),
        ({"convolution_kernel": "LUNG"}, "kernel"),
        ({"contrast_agent": "IOMERON"}, "contrast"),
        ({"manufacturer": "SIEMENS"}, "manufacturer"),
        ({"software_versions": "2"}, "software"),
    ],
)
def test_studies_of_different_technique_are_told(change: dict[str, Any], named: str) -> None:
    (check,) = check_pair(summarise(series()), summarise(series(**change)))
    assert check.code == "W_DIFFACQ"
    assert named in str(check.value)


def test_studies_of_one_technique_are_not() -> None:
    assert check_pair(summarise(series()), summarise(series(slice_thickness=1.5))) == ()


def candidate(number: int | None, description: str = "", **changes: Any) -> Candidate:
    headers = series(**changes)
    return Candidate(f"2.25.{number}", number, description, summarise(headers), check_header_set(headers))


@pytest.mark.parametrize(
    ("candidates", "chosen", "why"),
    [
        ([candidate(1)], 1, "only series"),
        ([candidate(1, slice_thickness=8.0), candidate(2)], 2, "only readable one of 2"),
        ([candidate(1, slice_thickness=1.25), candidate(2)], 2, "thinnest slices (1.00 mm)"),
        ([candidate(1, convolution_kernel="LUNG"), candidate(2)], 2, "softest kernel"),
        ([candidate(1, count=300), candidate(2)], 2, "most slices"),
        ([candidate(3), candidate(2), candidate(None)], 2, "lowest series number"),
    ],
)
def test_one_series_of_a_study_is_chosen_and_the_choice_is_said(
    candidates: list[Candidate], chosen: int, why: str
) -> None:
    for order in (candidates, candidates[::-1]):
        found, sentence = choose_series(order)
        assert found is not None
        assert found.series_number == chosen
        assert why in sentence


def test_where_no_series_can_be_read_each_reason_is_given() -> None:
    found, sentence = choose_series(
        [candidate(4, "Thick", slice_thickness=8.0), candidate(None, modality="MR")]
    )
    assert found is None
    assert "Series 4 (Thick): Slices of 8.0 mm are too thick" in sentence
    assert "Series without number: Not a CT series" in sentence
