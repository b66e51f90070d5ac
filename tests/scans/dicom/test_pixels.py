"""Stored values become Hounsfield units."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from scans.dicom.jpeg import claimed_matrix
from scans.dicom.pixels import decode
from scans.dicom.refusal import Refused
from tests.dicom_files import ct_image


def stored(values: list[int], dtype: str = "<i2", **changes: Any) -> np.ndarray:
    """The first pixels of a decoded image that holds `values`."""
    pixels = np.resize(np.array(values, dtype), (32, 32))
    return decode(ct_image(PixelData=pixels.tobytes(), **changes))[0, : len(values)]


def test_slope_and_intercept_are_applied() -> None:
    assert stored([0, 1064, 2000], RescaleSlope=0.5, RescaleIntercept=-1000).tolist() == [-1000, -468, 0]


def test_unsigned_values_above_the_signed_range_stay_positive() -> None:
    assert stored([40000], "<u2", PixelRepresentation=0, RescaleIntercept=-10000).tolist() == [30000]


def test_everything_below_air_and_above_16_bits_is_clipped() -> None:
    assert stored([-3000, 30000], RescaleSlope=2).tolist() == [-1024, 32767]


@pytest.mark.parametrize("padding", [-2000, 63536])
def test_padding_is_air_whether_written_signed_or_unsigned(padding: int) -> None:
    vr = "SS" if padding < 0 else "US"
    dataset = dcmread(io.BytesIO(ct_image(RescaleIntercept=3000)))
    dataset.add_new("PixelPaddingValue", vr, padding)
    dataset.PixelData = np.full((32, 32), -2000, "<i2").tobytes()
    file = io.BytesIO()
    dataset.save_as(file)
    assert np.all(decode(file.getvalue()) == -1024)


def test_a_range_of_padding_is_air() -> None:
    changes = {"PixelPaddingValue": 100, "PixelPaddingRangeLimit": 200, "RescaleIntercept": 0}
    dataset = dcmread(io.BytesIO(ct_image(RescaleIntercept=0)))
    dataset.add_new("PixelPaddingValue", "SS", changes["PixelPaddingValue"])
    dataset.add_new("PixelPaddingRangeLimit", "SS", changes["PixelPaddingRangeLimit"])
    dataset.PixelData = np.resize(np.array([99, 100, 150, 200, 201], "<i2"), (32, 32)).tobytes()
    file = io.BytesIO()
    dataset.save_as(file)
    assert decode(file.getvalue())[0, :5].tolist() == [99, -1024, -1024, -1024, 201]


@pytest.mark.parametrize(
    "changes",
    [
        {"RescaleSlope": None},
        {"RescaleIntercept": None},
        {"RescaleSlope": 0},
        {"RescaleSlope": -1},
        {"RescaleType": "OD"},
    ],
)
def test_what_are_no_hounsfield_units_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="NOT_HU"):
        decode(ct_image(**changes))


def test_a_workstation_that_writes_unspecified_on_plain_ct_is_believed() -> None:
    assert decode(ct_image(hu=-850, RescaleType="US"))[0, 0] == -850


def test_colour_is_refused() -> None:
    with pytest.raises(Refused, match="NOT_CT_PIXELS"):
        decode(ct_image(SamplesPerPixel=3, BitsAllocated=8))


@pytest.mark.parametrize(
    ("stream", "matrix"),
    [
        (b"\xff\x4f\xff\x51" + struct.pack(">HH6L", 41, 0, 640, 480, 0, 0, 640, 480), (480, 640)),
        (b"\xff\xd8\xff\xc3\x00\x0b\x0c" + struct.pack(">HHB", 480, 640, 1), (480, 640)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xf7\x00\x0b\x0c" + struct.pack(">HHB", 480, 640, 1), (480, 640)),
        (b"\xff\xd8\xff\xda\x00\x04ab", None),
        (b"RLE or anything else", None),
        (b"", None),
    ],
)
def test_the_size_claimed_by_a_compressed_stream_is_read(stream: bytes, matrix: object) -> None:
    assert claimed_matrix(stream) == matrix


def test_a_stream_that_claims_another_size_than_the_header_is_refused_before_decoding() -> None:
    dataset = dcmread(io.BytesIO(ct_image()))
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    huge = b"\xff\x4f\xff\x51" + struct.pack(">HH6L", 41, 0, 60000, 60000, 0, 0, 60000, 60000)
    dataset.PixelData = encapsulate([huge])
    dataset["PixelData"].is_undefined_length = True
    file = io.BytesIO()
    dataset.save_as(file)
    with pytest.raises(Refused, match="another size"):
        decode(file.getvalue())


@pytest.mark.shared
def test_the_clinical_vectors_for_hounsfield_units_hold(shared: Path) -> None:
    vectors = json.loads((shared / "clinical_vectors.json").read_text())
    tried = [v for v in vectors if v["rule"] == "measurement" and v["inputs"]["op"] == "hu"]
    assert tried
    for vector in tried:
        one = vector["inputs"]
        hu = stored([one["stored"]], RescaleSlope=one["slope"], RescaleIntercept=one["intercept"])
        assert hu.tolist() == [vector["expected"]["hu"]]
