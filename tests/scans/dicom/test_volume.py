"""Slices of one series become one volume, whatever the order of the files."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from scans.dicom.headers import read_header
from scans.dicom.refusal import Refused
from scans.dicom.volume import BuiltVolume, build_volume
from tests.dicom_files import ct_image


def built(files: Iterable[bytes]) -> BuiltVolume:
    return build_volume([(read_header(file), lambda file=file: io.BytesIO(file)) for file in files])


def stack(count: int = 6, step: tuple[float, float, float] = (0, 0, 2.5), **changes: Any) -> list[bytes]:
    """Slices whose HU tell their place: -900, -890, ..."""
    return [
        ct_image(
            k + 1,
            hu=-900 + 10 * k,
            ImagePositionPatient=[10 + k * step[0], k * step[1], k * step[2]],
            **changes,
        )
        for k in range(count)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_files_changes_nothing(seed: int) -> None:
    files = stack()
    shuffled = random.Random(seed).sample(files, len(files))
    one, other = built(files), built(shuffled)
    assert one.digest == other.digest
    assert one.sop_instance_uids == other.sop_instance_uids
    assert one.hu[:, 0, 0].tolist() == [-900, -890, -880, -870, -860, -850]


def test_the_volume_lies_where_its_first_slice_says() -> None:
    volume = built(stack(PixelSpacing=[0.5, 0.8]))
    assert volume.geometry.shape == (6, 32, 32)
    assert volume.geometry.spacing_mm == (2.5, 0.5, 0.8)
    assert volume.geometry.to_mm((2, 10, 5)).tolist() == [10 + 5 * 0.8, 10 * 0.5, 5.0]
    assert volume.instance_numbers == (1, 2, 3, 4, 5, 6)
    assert volume.positions_mm == (0.0, 2.5, 5.0, 7.5, 10.0, 12.5)


def test_slices_ascend_along_the_normal_when_it_points_to_the_feet() -> None:
    volume = built(stack(ImageOrientationPatient=[1, 0, 0, 0, -1, 0]))
    assert volume.hu[:, 0, 0].tolist() == [-850, -860, -870, -880, -890, -900]
    assert volume.geometry.direction[2] == (0.0, 0.0, -1.0)
    assert volume.geometry.to_mm((5, 0, 0)).tolist() == [10.0, 0.0, 0.0]


def test_a_tilted_stack_is_moved_onto_a_straight_grid() -> None:
    tilt = np.radians(18.5)
    orientation = [1, 0, 0, 0, float(np.cos(tilt)), -float(np.sin(tilt))]
    volume = built(stack(step=(0, 0, 4.0), ImageOrientationPatient=orientation))
    x, y, z = np.asarray(volume.geometry.direction)
    assert (x @ z, y @ z) == pytest.approx((0, 0))
    assert volume.geometry.spacing_mm[0] == pytest.approx(4.0 * np.cos(tilt))
    assert volume.unsheared_degrees == 18.5
    row = volume.geometry.to_index([10, 0, 12])[1]
    assert volume.hu[3, :, 0][round(row) + 1] == -870
    assert volume.hu[3, 0, 0] == -1024


def test_a_lean_of_less_than_half_a_pixel_leaves_the_voxels_alone() -> None:
    volume = built(stack(step=(0, 0.05, 2.5)))
    assert volume.unsheared_degrees == 0
    assert volume.hu.shape == (6, 32, 32)
    assert volume.geometry.to_mm((5, 0, 0)) == pytest.approx([10, 0.25, 12.5])


def test_slices_that_lie_far_beside_each_other_are_refused() -> None:
    with pytest.raises(Refused, match="E_GEOM"):
        built(stack(step=(40.0, 40.0, 2.5)))


def test_a_lost_slice_leaves_the_increment_of_the_others() -> None:
    files = stack(8)
    del files[5]
    assert built(files).geometry.spacing_mm[0] == 2.5


def test_a_single_slice_is_a_volume_of_its_thickness() -> None:
    assert built(stack(1, SliceThickness=3.0)).geometry.spacing_mm[0] == 3.0


def test_equal_copies_are_left_out_and_counted() -> None:
    files = stack()
    copies = [ct_image(60 + k, hu=-900 + 10 * k, ImagePositionPatient=[10, 0, 2.5 * k]) for k in (1, 4)]
    volume = built(files + copies)
    assert (len(volume.hu), volume.duplicates, volume.conflicts) == (6, 2, 0)
    assert volume.digest == built(files).digest


def test_different_pixels_at_one_place_are_a_conflict() -> None:
    volume = built([*stack(), ct_image(60, hu=33, ImagePositionPatient=[10, 0, 5.0])])
    assert (len(volume.hu), volume.duplicates, volume.conflicts) == (6, 0, 1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Modality": "MR"}, "E_MODALITY"),
        ({"ImagePositionPatient": None}, "E_GEOM"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "E_GEOM"),
        ({"PixelSpacing": None}, "E_GEOM"),
        ({"PixelSpacing": [0.9, 0.9], "ImagePositionPatient": [10, 0, 99]}, "E_MIXED"),
        ({"ImageOrientationPatient": [0, 1, 0, 1, 0, 0]}, "E_MIXED"),
        ({"RescaleSlope": None, "ImagePositionPatient": [10, 0, 99]}, "NOT_HU"),
    ],
)
def test_what_cannot_be_stacked_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        built([*stack(), ct_image(60, **changes)])
    assert caught.value.code == code


def test_multi_frame_images_are_refused_with_advice() -> None:
    pixels = np.zeros((2, 32, 32), "<i2").tobytes()
    with pytest.raises(Refused, match="single slices"):
        built([ct_image(NumberOfFrames=2, PixelData=pixels)])


def test_no_images_are_refused() -> None:
    with pytest.raises(Refused, match="E_FEW"):
        built([])


def test_progress_climbs_to_one() -> None:
    told: list[float] = []
    build_volume([(read_header(file), lambda file=file: file) for file in stack()], told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_other_voxels_or_another_place_give_another_digest() -> None:
    digests = {
        built(stack()).digest,
        built(stack(RescaleIntercept=-1023)).digest,
        built(stack(PixelSpacing=[0.7, 0.8])).digest,
    }
    assert len(digests) == 3
