"""The short way into the DICOM JSON model says what pydicom says, on every file that pydicom ships."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest

from scans.dicom import attributes, json_model
from scans.dicom.headers import Header, read_header
from scans.dicom.json_fast import fast_model
from scans.dicom.refusal import Refused
from tests.dicom_files import ct_image

FILES = sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm"))


def read(file: Path) -> Header | str:
    try:
        return read_header(io.BytesIO(file.read_bytes()))
    except Refused as refused:
        return refused.code


@pytest.mark.filterwarnings("ignore")
def test_every_header_is_the_same_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = [read(file) for file in FILES]
    for module in (attributes, json_model):
        monkeypatch.setattr(module, "fast_model", lambda raw: None)

    assert quick == [read(file) for file in FILES]
    assert sum(isinstance(one, Header) for one in quick) > 40


@pytest.mark.parametrize(
    ("keyword", "value", "model"),
    [
        ("PatientName", "DOE^Jane", {"vr": "PN", "Value": [{"Alphabetic": "DOE^Jane"}]}),
        ("PixelSpacing", [0.5, 0.7], {"vr": "DS", "Value": [0.5, 0.7]}),
        ("SeriesNumber", 3, {"vr": "IS", "Value": [3]}),
        ("Rows", 32, {"vr": "US", "Value": [32]}),
        ("ImageType", ["ORIGINAL", "PRIMARY"], {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY"]}),
        ("PatientComments", None, None),
    ],
)
def test_common_attributes(keyword: str, value: object, model: object) -> None:
    tag = pydicom.datadict.tag_for_keyword(keyword)
    header = read_header(ct_image(**({keyword: value} if value is not None else {})))

    assert header.dicom_json.get(f"{tag:08X}") == model


def test_a_name_in_three_alphabets_is_left_to_pydicom() -> None:
    tag = pydicom.tag.Tag("PatientName")
    raw = pydicom.dataelem.RawDataElement(tag, "PN", 9, b"A^B=\xe5\xb1", 0, False, True)

    assert fast_model(raw) is None
