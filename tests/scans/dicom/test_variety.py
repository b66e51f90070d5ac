"""Every file of the cabinet of encodings, objects, alphabets and damage ends as it should."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scans.dicom.headers import Header, read_header
from scans.dicom.pixels import decode
from scans.dicom.refusal import Refused

pytestmark = pytest.mark.shared

# File -> what the header reader says, then what the pixel reader says ("" is success).
OUTCOME = {
    "broken/ct-explicit-vr-un.dcm": ("", ""),
    "broken/ct-header-only.dcm": ("NO_UID", "NO_PIXELS"),
    "broken/ct-private-pixels-elscint1.dcm": ("NO_PIXELS", "NO_PIXELS"),
    "broken/deflated-private.dcm": ("SOP_CLASS", "NO_PIXELS"),
    "broken/empty-pixeldata.dcm": ("NO_PIXELS", "NO_PIXELS"),
    "broken/j2k-too-short.dcm": ("TRUNCATED", "TRUNCATED"),
    "broken/no-meta-length.dcm": ("NOT_IMAGE", "NO_PIXELS"),
    "broken/no-preamble-acr-nema-ct.dcm": ("NOT_DICOM", "NOT_DICOM"),
    "broken/no-preamble-dicm-in-data.dcm": ("NOT_DICOM", "NOT_DICOM"),
    "broken/no-rows.dcm": ("NO_UID", "TOO_LARGE"),
    "broken/oob-65535.dcm": ("TRUNCATED", "TOO_LARGE"),
    "broken/same-patient-id-1.dcm": ("NOT_IMAGE", "NO_PIXELS"),
    "broken/same-patient-id-2.dcm": ("NOT_IMAGE", "NO_PIXELS"),
    "broken/same-patient-id-3.dcm": ("NOT_IMAGE", "NO_PIXELS"),
    "broken/truncated-3gb.dcm": ("TRUNCATED", "TRUNCATED"),
    "broken/unknown-sop-class.dcm": ("", "NOT_CT_PIXELS"),
    "charsets/arabic.dcm": ("", "NOT_HU"),
    "charsets/chinese-gb18030.dcm": ("", "NOT_HU"),
    "charsets/chinese-gb2312-ir58.dcm": ("", "NOT_HU"),
    "charsets/chinese-utf8.dcm": ("", "NOT_HU"),
    "charsets/cyrillic.dcm": ("", "NOT_HU"),
    "charsets/french-latin1.dcm": ("", "NOT_HU"),
    "charsets/greek.dcm": ("", "NOT_HU"),
    "charsets/japanese-ir87.dcm": ("", "NOT_HU"),
    "charsets/korean-ir149.dcm": ("", "NOT_HU"),
    "charsets/polish-latin2-sr.dcm": ("", "NO_PIXELS"),
    "charsets/sequence-own-charset.dcm": ("NO_UID", "NO_PIXELS"),
    "encodings/ct-a-big-endian.dcm": ("", ""),
    "encodings/ct-a-deflated.dcm": ("", ""),
    "encodings/ct-a-explicit-le.dcm": ("", ""),
    "encodings/ct-a-j2k-lossless.dcm": ("", ""),
    "encodings/ct-a-j2k-lossy.dcm": ("", ""),
    "encodings/ct-a-jpeg-baseline-8bit.dcm": ("", ""),
    "encodings/ct-a-jpeg-extended-12bit.dcm": ("", ""),
    "encodings/ct-a-jpeg-lossless-p14.dcm": ("", ""),
    "encodings/ct-a-jpeg-lossless-sv1.dcm": ("", ""),
    "encodings/ct-a-jpeg-p10-12-retired.dcm": ("", "UNSUPPORTED_ENCODING"),
    "encodings/ct-a-jpegls-lossless.dcm": ("", ""),
    "encodings/ct-a-jpegls-near.dcm": ("", ""),
    "encodings/ct-a-rle.dcm": ("", ""),
    "encodings/ct-b-htj2k-rpcl-lossless.dcm": ("", ""),
    "encodings/ct-b-j2k-very-lossy.dcm": ("", ""),
    "encodings/ct-b-jpegls-fragmented.dcm": ("", ""),
    "encodings/ct-b-rle-fragmented.dcm": ("", ""),
    "encodings/ct-enhanced-2frames-jpeg-extended.dcm": ("", "NOT_HU"),
    "encodings/ct-enhanced-2frames-jpegls.dcm": ("", "NOT_HU"),
    "encodings/sc-rgb-jpeg-ybr422.dcm": ("", "NOT_CT_PIXELS"),
    "objects/cr-chest-monochrome1.dcm": ("", "NOT_HU"),
    "objects/ct-chest-scout-jpeg-lossless.dcm": ("", ""),
    "objects/ct-coronal-reformat.dcm": ("", ""),
    "objects/ct-crop-128.dcm": ("", ""),
    "objects/ct-legacy-converted-enhanced.dcm": ("", "NOT_HU"),
    "objects/ct-localizer.dcm": ("", ""),
    "objects/ct-sc-8bit.dcm": ("BAD_UID", ""),
    "objects/ct-sc-no-pixels.dcm": ("", "NO_PIXELS"),
    "objects/dicomdir": ("DICOMDIR", "DICOMDIR"),
    "objects/mr-jpeg-lossless.dcm": ("", "NOT_HU"),
    "objects/parametric-map-float.dcm": ("", "NO_PIXELS"),
    "objects/pdf-encapsulated.dcm": ("", "NO_PIXELS"),
    "objects/pet-jpeg-lossless.dcm": ("", ""),
    "objects/pr-softcopy.dcm": ("", "NO_PIXELS"),
    "objects/real-world-value-map.dcm": ("", "NO_PIXELS"),
    "objects/seg-ct-binary.dcm": ("", "NOT_HU"),
    "objects/seg-fractional.dcm": ("", "NOT_HU"),
    "objects/seg-labelmap.dcm": ("", "NOT_HU"),
    "objects/sm-annotations.dcm": ("SOP_CLASS", "NO_PIXELS"),
    "objects/sr-basic-text.dcm": ("", "NO_PIXELS"),
    "objects/sr-comprehensive.dcm": ("", "NO_PIXELS"),
    "objects/sr-deflated.dcm": ("", "NO_PIXELS"),
    "objects/sr-lung-annotation.dcm": ("", "NO_PIXELS"),
    "objects/sr-measurements-3d.dcm": ("", "NO_PIXELS"),
    "objects/sr-radiation-dose-ct.dcm": ("", "NO_PIXELS"),
    "objects/stl-encapsulated.dcm": ("", "NO_PIXELS"),
    "objects/us-palette-rle.dcm": ("", "NOT_HU"),
    "objects/waveform-hemodynamic-deflated.dcm": ("SOP_CLASS", "NO_PIXELS"),
}

NAMES = {
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

# Encoding -> largest allowed difference in HU to the reference of its group.
DIFFERENCE = {
    "ct-a-big-endian": 0,
    "ct-a-deflated": 0,
    "ct-a-rle": 0,
    "ct-a-jpeg-lossless-p14": 0,
    "ct-a-jpeg-lossless-sv1": 0,
    "ct-a-jpegls-lossless": 0,
    "ct-a-j2k-lossless": 0,
    "ct-a-jpegls-near": 1,
    "ct-a-j2k-lossy": 5,
    "ct-a-jpeg-extended-12bit": 36,
    "ct-a-jpeg-baseline-8bit": 64,
    "ct-b-htj2k-rpcl-lossless": 0,
    "ct-b-rle-fragmented": 0,
    "ct-b-j2k-very-lossy": 352,
}
REFERENCE = {"ct-a": "ct-a-explicit-le", "ct-b": "ct-b-jpegls-fragmented"}
LOSSY = ("near", "lossy", "baseline", "extended", "p10-12")


def outcome(read: Callable[[bytes], object], file: Path) -> str:
    try:
        read(file.read_bytes())
    except Refused as refused:
        return refused.code if refused.sentence.endswith(".") else "no sentence"
    return ""


@pytest.fixture(scope="module")
def variety(shared: Path) -> Path:
    return shared / "data" / "dicom" / "variety"


def test_the_table_above_names_every_file(variety: Path) -> None:
    with (variety / "manifest.csv").open() as manifest:
        assert {row["file"] for row in csv.DictReader(manifest)} == set(OUTCOME)


@pytest.mark.parametrize("name", OUTCOME)
def test_a_header_is_read_or_refused_with_its_reason(name: str, variety: Path) -> None:
    assert outcome(read_header, variety / name) == OUTCOME[name][0]


@pytest.mark.parametrize("name", OUTCOME)
def test_pixels_are_decoded_or_refused_with_their_reason(name: str, variety: Path) -> None:
    assert outcome(decode, variety / name) == OUTCOME[name][1]


@pytest.mark.parametrize("name", [name for name, (code, _) in OUTCOME.items() if not code])
def test_a_header_survives_a_json_column(name: str, variety: Path) -> None:
    header = read_header((variety / name).read_bytes())
    stored = json.dumps(header.to_json(), allow_nan=False)
    assert "\\u0000" not in stored
    assert Header.from_json(json.loads(stored)) == header


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_decoded_with_all_its_groups(name: str, variety: Path) -> None:
    assert read_header((variety / "charsets" / f"{name}.dcm").read_bytes()).patient_name == NAMES[name]


@pytest.mark.parametrize("name", DIFFERENCE)
def test_an_encoding_gives_the_hounsfield_units_of_its_reference(name: str, variety: Path) -> None:
    reference = decode((variety / "encodings" / f"{REFERENCE[name[:4]]}.dcm").read_bytes())
    decoded = decode((variety / "encodings" / f"{name}.dcm").read_bytes())
    assert decoded.dtype == np.int16
    assert np.abs(decoded.astype(int) - reference).max() <= DIFFERENCE[name]


@pytest.mark.parametrize("name", [n for n in OUTCOME if n.startswith("encodings/ct-a")])
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
