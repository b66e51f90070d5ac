"""An enhanced CT is read frame by frame as if each were a slice of its own."""

from __future__ import annotations

import io

import numpy as np
import pytest

from scans.dicom.checks import check_header_set, refuse
from scans.dicom.frames import frame_headers, is_multi_frame_ct
from scans.dicom.headers import read_header
from scans.dicom.image import open_image
from scans.dicom.pixels import decode
from scans.dicom.refusal import Refused
from scans.dicom.volume import BuiltVolume, build_volume
from tests.dicom_files import ct_image
from tests.enhanced_ct import enhanced_ct

HU = np.random.default_rng(3).integers(-1000, 2000, (5, 8, 6)).astype(np.int16)


def built(file: bytes) -> BuiltVolume:
    headers = frame_headers(read_header(file), file)
    return build_volume([(header, lambda: io.BytesIO(file)) for header in headers])


@pytest.mark.parametrize("rle", [False, True])
def test_an_enhanced_ct_becomes_a_volume_with_the_rescale_of_each_frame(rle: bool) -> None:
    volume = built(enhanced_ct(HU, rle=rle))
    assert np.array_equal(volume.hu, HU)
    assert volume.geometry.spacing_mm == (2.5, 0.7, 0.7)
    assert volume.geometry.to_mm((3, 0, 0)).tolist() == [-10, -20, 7.5]
    assert volume.instance_numbers == (1, 2, 3, 4, 5)
    assert set(volume.sop_instance_uids) == {read_header(enhanced_ct(HU)).sop_instance_uid}


def test_frames_have_the_place_and_type_of_their_functional_groups() -> None:
    file = enhanced_ct(HU)
    headers = frame_headers(read_header(file), file)
    assert [header.image_position for header in headers] == [(-10, -20, 2.5 * k) for k in range(5)]
    assert {header.image_type for header in headers} == {("ORIGINAL", "PRIMARY", "VOLUME", "NONE")}
    assert {header.slice_thickness for header in headers} == {2.5}
    assert not {"E_MULTIFRAME", "E_GEOM", "E_RESCALE"} & {c.code for c in refuse(check_header_set(headers))}


def test_a_file_that_does_not_describe_its_frames_stays_one_image() -> None:
    file = enhanced_ct(HU, NumberOfFrames=4)
    header = read_header(file)
    assert is_multi_frame_ct(header)
    assert frame_headers(header, file) == (header,)


def test_one_frame_is_decoded_without_the_others() -> None:
    file = enhanced_ct(HU)
    assert np.array_equal(decode(file, 3), HU[3])
    with pytest.raises(Refused, match="NO_FRAME"):
        decode(file, 5)


def test_of_a_large_native_file_only_the_frame_is_read() -> None:
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            got = super().read(size)
            self.taken += len(got)
            return got

    file = Counting(enhanced_ct(np.zeros((40, 64, 64), np.int16)))
    image = open_image(file)
    before = file.taken
    image.stored(7)
    assert file.taken - before == 64 * 64 * 2


def test_colour_is_given_as_stored_values() -> None:
    pixels = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    colour = ct_image(
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="RGB",
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        PixelData=pixels.tobytes(),
    )
    assert np.array_equal(open_image(colour).stored(), pixels)
