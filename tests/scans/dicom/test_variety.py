"""The cabinet of encodings, objects, alphabets and damage, beyond the outcomes of `test_every_file`."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest

from scans.dicom.headers import Header, read_header
from scans.dicom.part10 import open_part10
from scans.dicom.person_names import person_name
from scans.dicom.pixels import decode
from scans.dicom.refusal import Refused
from tests.scans.dicom.test_every_file import table

pytestmark = pytest.mark.shared

TABLE = [one for one in table() if one.source == "variety"]

NAMES = {
    "polish-latin2-sr": "Testowy^Teste",
    "arabic": "قباني^لنزار",
    "french-latin1": "Buc^Jérôme",
    "greek": "Διονυσιος",
    "cyrillic": "Люкceмбypг",
    "japanese-ir87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "korean-ir149": "Hong^Gildong=洪^吉洞=홍^길동",
    "chinese-utf8": "Wang^XiaoDong=王^小東",
    "chinese-gb18030": "Wang^XiaoDong=王^小东",
    "chinese-gb2312-ir58": "Zhang^XiaoDong=张^小东",
}

LOSSY = ("near", "lossy", "baseline", "extended", "p10-12")


@pytest.fixture(scope="module")
def variety(shared: Path) -> Path:
    return shared / "data" / "dicom" / "variety"


@pytest.mark.parametrize("name", [one.file for one in TABLE if one.header == "read"])
def test_a_header_survives_a_json_column(name: str, variety: Path) -> None:
    header = read_header((variety / name).read_bytes())
    stored = json.dumps(header.to_json(), allow_nan=False)
    assert "\\u0000" not in stored
    assert Header.from_json(json.loads(stored)) == header


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_decoded_with_all_its_groups(name: str, variety: Path) -> None:
    assert read_header((variety / "charsets" / f"{name}.dcm").read_bytes()).patient_name == NAMES[name]


def test_a_name_in_a_sequence_is_decoded_by_the_character_set_of_its_item(variety: Path) -> None:
    content = (variety / "charsets" / "sequence-own-charset.dcm").read_bytes()
    item = open_part10(io.BytesIO(content)).dataset.RequestedProcedureCodeSequence[0]
    assert person_name(item, "PatientName") == "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize("name", [one.file for one in TABLE if one.file.startswith("encodings/ct-a")])
def test_lossy_copies_are_marked(name: str, variety: Path) -> None:
    lossless = "lossless" in name
    lossy = not lossless and any(word in name for word in LOSSY)
    assert read_header((variety / name).read_bytes()).lossy == lossy


@pytest.mark.parametrize("name", ["broken/oob-65535.dcm", "broken/truncated-3gb.dcm"])
def test_a_hostile_size_is_turned_away_at_once(name: str, variety: Path) -> None:
    content = (variety / name).read_bytes()
    start = time.perf_counter()
    for read in (read_header, decode):
        with pytest.raises(Refused):
            read(content)
    assert time.perf_counter() - start < 0.5


def test_the_private_pixels_of_elscint_are_named_as_the_cause(variety: Path) -> None:
    with pytest.raises(Refused, match="PMSCT_RLE1"):
        read_header((variety / "broken" / "ct-private-pixels-elscint1.dcm").read_bytes())


def test_the_geometry_of_an_enhanced_ct_comes_from_its_functional_groups(variety: Path) -> None:
    header = read_header((variety / "encodings" / "ct-enhanced-2frames-jpegls.dcm").read_bytes())
    assert header.number_of_frames == 2
    assert header.pixel_spacing == (0.388672, 0.388672)
    assert header.position_along_normal is not None
