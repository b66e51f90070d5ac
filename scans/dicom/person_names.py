"""Person names with their three groups, decoded by the character set of the file (DICOM PS3.5 section 6.1).

Alphabetic, ideographic and phonetic group stand in one string, joined by "=", as in the file.
"""

from __future__ import annotations

import re

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.valuerep import PersonName

from scans.dicom.attributes import tag_of
from scans.dicom.json_fast import fast_model

_ESCAPES = re.compile(r"\x1b\$?[()*+\-./]?[A-Za-z0-9]")


def person_name(dataset: Dataset, keyword: str) -> str:
    """The decoded name under `keyword`; empty if there is none."""
    raw: object = dataset._dict.get(tag_of(keyword))
    quick = fast_model(raw) if isinstance(raw, RawDataElement) else None
    if quick is not None:
        return decoded(quick["Value"][0]["Alphabetic"]) if quick["vr"] == "PN" and "Value" in quick else ""
    value = dataset.get(keyword)
    if value is None:
        return ""
    if not isinstance(value, PersonName):
        value = value[0] if len(value) else ""
    return decoded(value)


def decoded(value: PersonName | str) -> str:
    """One name without the escapes of its character set."""
    text = str(value).rstrip("\0 =")
    if "\x1b" in text and isinstance(value, PersonName):
        text = _without_escapes(value)
    return _ESCAPES.sub("", text).replace("\x1b", "").replace("\0", "")


def _without_escapes(name: PersonName) -> str:
    """Decode ISO 2022 IR 58 (GB 2312 in G1), whose escapes pydicom 3.0 leaves standing in the text."""
    raw: bytes = name.original_string
    stripped = re.sub(rb"\x1b\$\)A", b"", raw)
    return stripped.decode("gb2312", errors="replace").rstrip("\0 =")
