"""Headers are read without pixels, and nothing but a whole image passes."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from scans.dicom.headers import Header, read_header
from scans.dicom.pixels import decode
from scans.dicom.refusal import Refused
from tests.dicom_files import ct_image


def refusal_of(content: bytes) -> str:
    with pytest.raises(Refused) as caught:
        read_header(content)
    return caught.value.code


def encoded(syntax: str, **changes: Any) -> bytes:
    """The test image in another transfer syntax."""
    dataset = dcmread(io.BytesIO(ct_image(**changes)))
    if syntax == RLELossless:
        dataset.compress(RLELossless)
    dataset.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_a_header_tells_patient_study_series_and_picture() -> None:
    header = read_header(
        ct_image(7, PatientAge="067Y", AccessionNumber="A9", CTDIvol=2.5, ConvolutionKernel="B30f")
    )
    assert (header.patient_id, header.patient_name) == ("N-0001", "DOE^Jane")
    assert header.patient_birth_date == dt.date(1958, 4, 2)
    assert (header.study_date, header.study_time) == (dt.date(2026, 3, 12), dt.time(10, 42))
    assert (header.modality, header.image_type) == ("CT", ("ORIGINAL", "PRIMARY", "AXIAL"))
    assert (header.rows, header.columns, header.pixel_spacing) == (32, 32, (0.7, 0.7))
    assert (header.accession_number, header.ctdi_vol, header.convolution_kernel) == ("A9", 2.5, "B30f")
    assert header.position_along_normal == 7


def test_the_age_is_counted_in_completed_years_on_the_day_of_the_study() -> None:
    born = {"PatientBirthDate": "19580402"}
    assert read_header(ct_image(StudyDate="20260401", **born)).patient_age_years == 67
    assert read_header(ct_image(StudyDate="20260402", **born)).patient_age_years == 68


@pytest.mark.parametrize(
    ("said", "years"), [("067Y", 67), ("018M", 1), ("100W", 1), ("400D", 1), ("6Y?", None), ("", None)]
)
def test_without_a_birth_date_the_stated_age_counts(said: str, years: int | None) -> None:
    header = read_header(ct_image(PatientBirthDate="", PatientAge=said))
    assert header.patient_age_years == years


@pytest.mark.parametrize(
    ("keyword", "value", "field", "read"),
    [
        ("StudyDate", "2026.03.12", "study_date", dt.date(2026, 3, 12)),
        ("StudyDate", "20261399", "study_date", None),
        ("StudyTime", "2561", "study_time", None),
        ("StudyTime", "09", "study_time", dt.time(9)),
        ("PixelSpacing", [0.7, 0.7, 1.0], "pixel_spacing", None),
        ("PixelSpacing", [0, 0], "pixel_spacing", None),
        ("ImagePositionPatient", [1, 2], "image_position", None),
        ("SliceThickness", "", "slice_thickness", None),
        ("PatientID", "", "patient_id", ""),
        ("SeriesDescription", "Lung \0", "series_description", "Lung"),
    ],
)
def test_a_senseless_value_counts_as_absent(keyword: str, value: object, field: str, read: object) -> None:
    assert getattr(read_header(ct_image(**{keyword: value})), field) == read


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
@pytest.mark.parametrize(("uid", "code"), [(None, "NO_UID"), ("", "NO_UID"), ("1.2.a", "BAD_UID")])
def test_an_image_that_cannot_be_filed_is_refused(keyword: str, uid: str | None, code: str) -> None:
    content = dcmread(io.BytesIO(ct_image()))
    if uid is None:
        delattr(content, keyword)
    else:
        setattr(content, keyword, uid)
    file = io.BytesIO()
    content.save_as(file)
    assert refusal_of(file.getvalue()) == code


@pytest.mark.parametrize("uid", ["1" * 65, "1..2", ".1", "1.2 3"])
def test_an_invalid_uid_is_refused(uid: str) -> None:
    assert refusal_of(ct_image(StudyInstanceUID=uid)) == "BAD_UID"


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 128 + b"DICM", b"PK\3\4" * 80])
def test_what_is_no_dicom_is_refused(content: bytes) -> None:
    assert refusal_of(content) == "NOT_DICOM"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PixelData": None}, "NO_PIXELS"),
        ({"PixelData": b""}, "NO_PIXELS"),
        ({"PixelData": b"\0\0" * 100}, "TRUNCATED"),
        ({"Rows": 33}, "TRUNCATED"),
        ({"Rows": 65535, "Columns": 65535}, "TRUNCATED"),
        ({"NumberOfFrames": 2}, "TRUNCATED"),
        ({"Rows": 0}, "BAD_MATRIX"),
        ({"BitsAllocated": None}, "BAD_MATRIX"),
        ({"PixelData": None, "Rows": None, "Columns": None}, "NOT_IMAGE"),
    ],
)
def test_an_image_without_all_its_pixels_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refusal_of(ct_image(**changes)) == code


@pytest.mark.parametrize("syntax", ["plain", DeflatedExplicitVRLittleEndian, RLELossless])
def test_a_file_cut_off_anywhere_is_refused(syntax: str) -> None:
    content = ct_image() if syntax == "plain" else encoded(syntax)
    for end in range(0, len(content) - 1, 1 if syntax != "plain" else 7):
        assert refusal_of(content[:end]) in {
            "NOT_DICOM",
            "TRUNCATED",
            "DAMAGED",
            "NO_UID",
            "NO_PIXELS",
            "NOT_IMAGE",
        }


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 255)), min_size=1, max_size=12))
def test_flipped_bytes_never_end_in_anything_but_a_refusal(flips: list[tuple[int, int]]) -> None:
    content = bytearray(ct_image())
    for place, value in flips:
        content[place % len(content)] = value
    for read in (read_header, decode):
        with contextlib.suppress(Refused):
            read(bytes(content))


def test_a_deflated_file_that_unpacks_without_end_is_refused() -> None:
    plain = encoded(DeflatedExplicitVRLittleEndian)
    meta = plain[
        : plain.index(DeflatedExplicitVRLittleEndian.encode()) + len(DeflatedExplicitVRLittleEndian) + 64
    ]
    start = next(at for at in range(200, len(plain)) if _inflates(plain[at:]))
    assert start <= len(meta) + 200
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(b"\0" * (200 << 20)) + packer.flush()
    assert refusal_of(plain[:start] + bomb) == "TOO_LARGE"


def _inflates(data: bytes) -> bool:
    try:
        return zlib.decompress(data, -15)[:2] == b"\x08\x00"
    except zlib.error:
        return False


def test_deeply_nested_sequences_are_refused_instead_of_crashing() -> None:
    content = ct_image(PixelData=None)
    nested = (b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * 5000
    assert refusal_of(content + nested) in {"DAMAGED", "TRUNCATED", "NO_PIXELS"}


def test_compressed_pixels_without_fragments_are_refused() -> None:
    plain = ct_image()
    claimed = plain.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0", 1)
    assert claimed != plain
    assert refusal_of(claimed) == "DAMAGED"


class FailingStorage(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError("the disk is gone")


@pytest.mark.parametrize("read", [read_header, decode])
def test_a_failing_storage_is_no_fault_of_the_file(read: Callable[[io.BytesIO], object]) -> None:
    with pytest.raises(OSError, match="the disk is gone"):
        read(FailingStorage(ct_image()))


def test_bulk_data_and_private_elements_stay_out_of_the_json_model() -> None:
    dataset = dcmread(io.BytesIO(ct_image()))
    block = dataset.private_block(0x0009, "ACME", create=True)
    block.add_new(1, "OB", b"\1" * 5000)
    dataset.add_new(0x00420011, "OB", b"\2" * 5000)
    file = io.BytesIO()
    dataset.save_as(file)
    model = read_header(file.getvalue()).dicom_json
    assert model["00080060"] == {"vr": "CS", "Value": ["CT"]}
    assert "7FE00010" not in model
    assert "00420011" not in model
    assert not any(tag.startswith("0009") for tag in model)


def test_numbers_that_json_does_not_know_are_written_as_null() -> None:
    model = read_header(ct_image(CTDIvol=float("nan"))).dicom_json
    assert json.dumps(model, allow_nan=False)


@pytest.mark.parametrize("group", ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"])
def test_geometry_is_found_in_functional_groups(group: str) -> None:
    measures, groups = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.6], 1.5
    groups.PixelMeasuresSequence = [measures]
    header = read_header(ct_image(PixelSpacing=None, SliceThickness=None, **{group: [groups]}))
    assert (header.pixel_spacing, header.slice_thickness) == ((0.5, 0.6), 1.5)


@pytest.mark.parametrize(
    ("orientation", "normal"),
    [
        ([1, 0, 0, 0, 1, 0], (0, 0, 1)),
        ([1, 0, 0, 0, -1, 0], (0, 0, -1)),
        ([1, 0, 0, 0, 0, -1], (0, 1, 0)),
        ([1, 0, 0, 0.1, 1, 0], None),
        ([2, 0, 0, 0, 1, 0], None),
    ],
)
def test_the_normal_stands_on_rows_and_columns(orientation: list[float], normal: object) -> None:
    assert read_header(ct_image(ImageOrientationPatient=orientation)).normal == normal


def test_a_header_comes_back_from_json_as_it_was() -> None:
    header = read_header(ct_image(WindowCenter=["-600", "40"], WindowWidth=["1500", "400"]))
    assert header.window == ((-600.0, 1500.0), (40.0, 400.0))
    assert Header.from_json(json.loads(json.dumps(header.to_json()))) == header
