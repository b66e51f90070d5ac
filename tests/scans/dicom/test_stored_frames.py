"""Frames as bytes and whole files in Explicit VR Little Endian, against pydicom's own decoding."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from scans.dicom.refusal import Refused
from scans.dicom.stored_frames import open_frames
from scans.dicom.transcoding import can_transcode, transcode
from tests.dicom_files import ct_image


def written(dataset: Dataset, **more: Any) -> io.BytesIO:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True, **more)
    file.seek(0)
    return file


def image(planes: np.ndarray, **changes: Any) -> Dataset:
    dataset = dcmread(io.BytesIO(ct_image(1)))
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = planes.shape[:3]
    dataset.PixelData = planes.tobytes()
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize("compressed", [False, True])
def test_frames_of_16_bits_are_found_by_their_number(compressed: bool) -> None:
    planes = np.arange(3 * 4 * 6, dtype=np.int16).reshape(3, 4, 6)
    dataset = image(planes)
    if compressed:
        dataset.compress(RLELossless, generate_instance_uid=False)
    frames = open_frames(written(dataset))
    assert (frames.count, frames.compressed) == (3, compressed)
    assert [frames.native(index) for index in range(3)] == [plane.tobytes() for plane in planes]


def test_frames_of_single_bits_begin_at_a_byte_of_their_own() -> None:
    planes = np.random.default_rng(1).integers(0, 2, (3, 5, 5)).astype(np.uint8)
    packed = np.packbits(planes.ravel(), bitorder="little").tobytes()
    bits = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelRepresentation": 0}
    frames = open_frames(written(image(planes, PixelData=packed, **bits)))
    for index, plane in enumerate(planes):
        unpacked = np.unpackbits(np.frombuffer(frames.native(index), np.uint8), bitorder="little")
        assert unpacked[:25].tolist() == plane.ravel().tolist()
    assert b"".join(frames.whole()) == packed


def test_a_file_without_pixels_has_no_frames() -> None:
    dataset = dcmread(io.BytesIO(ct_image(1)))
    del dataset.PixelData
    with pytest.raises(Refused, match="NO_PIXELS"):
        open_frames(written(dataset))


def test_implicit_files_become_explicit() -> None:
    dataset = dcmread(io.BytesIO(ct_image(1)))
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    back = dcmread(io.BytesIO(transcode(written(dataset, implicit_vr=True, little_endian=True))))
    assert back.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert back == dcmread(io.BytesIO(ct_image(1)))


def test_what_is_too_large_to_unpack_is_refused_before_memory_is_reserved() -> None:
    dataset = image(np.zeros((1, 4, 4), np.int16))
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.NumberOfFrames = 100_000_000
    with pytest.raises(Refused, match="TOO_LARGE"):
        transcode(written(dataset))


def test_damaged_pixels_are_refused() -> None:
    dataset = image(np.zeros((1, 4, 4), np.int16))
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.Rows = 400
    with pytest.raises(Refused):
        transcode(written(dataset))
    with pytest.raises(Refused):
        open_frames(written(dataset)).native(0)


@pytest.mark.parametrize(
    ("syntax", "able"),
    [
        ("1.2.840.10008.1.2", True),
        ("1.2.840.10008.1.2.2", True),
        ("1.2.840.10008.1.2.4.80", True),
        ("1.2.840.10008.1.2.4.55", False),
        ("1.2.3.4", False),
    ],
)
def test_it_is_known_beforehand_what_can_be_unpacked(syntax: str, able: bool) -> None:
    assert can_transcode(syntax) is able
