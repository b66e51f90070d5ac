"""What can be one volume is told apart within a series; what is no slice is left aside."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from scans.dicom.checks import check_header_set, check_parts, refuse
from scans.dicom.headers import Header, read_header
from scans.dicom.stacks import Stack, split
from tests.dicom_files import ct_image

BASE = read_header(ct_image())
LOCALIZER = {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def slices(count: int, first_mm: float = 0.0, step_mm: float = 1.0, **changes: Any) -> list[Header]:
    start = changes.pop("first_number", 1)
    return [
        replace(
            BASE,
            sop_instance_uid=f"2.25.{start + k}",
            instance_number=start + k,
            image_position=(0.0, 0.0, first_mm + k * step_mm),
            **changes,
        )
        for k in range(count)
    ]


def sizes(headers: list[Header]) -> list[int]:
    return [len(stack.members) for stack in split(headers)[0]]


def test_a_plain_series_is_one_stack() -> None:
    assert split(slices(10)) == ((Stack(tuple(range(10))),), ())


def test_the_order_of_the_images_does_not_matter() -> None:
    headers = slices(10) + slices(6, 0.5, acquisition_number=2, first_number=20)
    shuffled = random.Random(1).sample(headers, len(headers))
    assert sizes(shuffled) == sizes(headers) == [10, 6]


def test_localizers_and_captures_are_left_aside() -> None:
    headers = [*slices(2, **LOCALIZER), *slices(10), *slices(1, image_type=("DERIVED", "SECONDARY"))]
    stacks, aside = split(headers)
    assert (stacks[0].members, aside) == (tuple(range(2, 12)), (0, 1, 12))
    assert not refuse([c for c in check_header_set(headers[2:12]) if c.code == "E_IMAGETYPE"])


def test_a_series_of_localizers_alone_is_kept_for_the_checks_to_refuse() -> None:
    stacks, aside = split(slices(2, **LOCALIZER))
    assert (len(stacks), aside) == (1, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"image_orientation": CORONAL},
        {"rows": 64},
        {"pixel_spacing": (0.9, 0.9)},
        {"convolution_kernel": "BONE"},
        {"frame_of_reference_uid": "2.25.5"},
    ],
)
def test_what_no_volume_can_mix_makes_stacks_of_its_own(changes: dict[str, Any]) -> None:
    assert sizes(slices(10) + slices(4, first_number=50, **changes)) == [10, 4]


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"acquisition_number": 2}, "acquisition"),
        ({"slice_thickness": 2.0}, "slice thickness"),
        ({"contrast_agent": "IOMERON"}, "contrast agent"),
        ({"image_type": ("DERIVED", "PRIMARY", "AXIAL")}, "image type"),
        ({}, "pass"),
    ],
)
def test_two_passes_over_the_same_place_are_two_stacks(second: dict[str, Any], why: str) -> None:
    stacks, _ = split(slices(10) + slices(9, first_number=50, **second))
    assert [(len(stack.members), stack.why) for stack in stacks] == [(10, why), (9, why)]


def test_two_blocks_of_other_thickness_are_two_stacks() -> None:
    lower, upper = slices(14, 0, 4, slice_thickness=4.0), slices(14, 53.1, 7, slice_thickness=7.0)
    assert sizes(lower + upper) == [14, 14]


def test_interleaved_acquisitions_are_told_apart_even_on_a_regular_grid() -> None:
    assert sizes(slices(10) + slices(10, 0.5, acquisition_number=2, first_number=50)) == [10, 10]


@pytest.mark.parametrize("slices_a_rotation", [1, 4])
def test_a_scanner_that_numbers_each_rotation_does_not_split_the_chest(slices_a_rotation: int) -> None:
    headers = [
        replace(header, acquisition_number=k // slices_a_rotation) for k, header in enumerate(slices(40))
    ]
    del headers[21]
    assert sizes(headers) == [39]


def test_a_missing_slice_and_a_doubled_one_do_not_split_a_series() -> None:
    headers = slices(20)
    del headers[7]
    assert sizes([*headers, *slices(1, 3.0, first_number=90)]) == [20]


def test_a_split_is_said() -> None:
    stacks, aside = split(
        [*slices(10), *slices(9, acquisition_number=2, first_number=50), *slices(1, **LOCALIZER)]
    )
    said = check_parts(stacks[0], stacks, aside)
    assert [check.code for check in said] == ["W_SPLIT", "I_ASIDE"]
    assert said[0].sentence == (
        "The series was split by acquisition into 2 volumes; this is the one of 10 of 19 slices."
    )
    assert check_parts(Stack((0,)), (Stack((0,)),), ()) == ()
