"""Elements whose raw bytes are plain ASCII or numbers, straight into the DICOM JSON model.

Most of a CT header is such; to build pydicom's values first costs several times as much.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

from pydicom.dataelem import RawDataElement

TEXT = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UI"})
ESCAPE = b"\x1b"
"""Switches the character set (ISO 2022): what follows is ASCII by its bytes alone."""

SHORT, REMEMBERED = 64, 2048
"""Values of so many bytes are remembered, so many of them."""

_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l"}


def fast_model(raw: RawDataElement) -> dict[str, Any] | None:
    """The model of one element as pydicom would write it; None where pydicom has to be asked."""
    value, vr = raw.value, raw.VR
    if not isinstance(value, bytes) or vr is None or vr in ("SQ", "UN"):
        return None
    of = _remembered if len(value) <= SHORT else _model
    return of(vr, value, raw.is_little_endian)


def _model(vr: str, value: bytes, is_little_endian: bool) -> dict[str, Any] | None:
    if not value:
        return {"vr": vr}
    if vr in TEXT:
        return _text(vr, value)
    if vr in _NUMBERS:
        return _binary(vr, value, "<" if is_little_endian else ">")
    return _OTHERS[vr](vr, value) if vr in _OTHERS else None


# Slices of a series say the same but for a few elements; nobody changes a model that was made.
_remembered = lru_cache(REMEMBERED)(_model)


def _name(vr: str, value: bytes) -> dict[str, Any] | None:
    """A name of one group; those with ideographic or phonetic groups are left to pydicom."""
    found = None if b"=" in value or b"\\" in value else _text(vr, value)
    if found is None:
        return None
    return {"vr": vr, "Value": [{"Alphabetic": found["Value"][0]}]}


def _text(vr: str, value: bytes) -> dict[str, Any] | None:
    if not value.isascii() or ESCAPE in value:
        return None
    text = value.decode("ascii").rstrip(" \0")
    if "\0" in text or text.startswith(" ") or " \\" in text or "\\ " in text:
        return None
    if not text:
        return None
    return {"vr": vr, "Value": text.split("\\")}


def _decimal(vr: str, value: bytes) -> dict[str, Any] | None:
    of = float if vr == "DS" else int
    try:
        numbers = [of(part) for part in value.rstrip(b" \0").split(b"\\")]
    except ValueError:
        return None
    if any(number != number or abs(number) > 1e300 for number in numbers):  # noqa: PLR0124 - not a number
        return None
    return {"vr": vr, "Value": numbers}


def _binary(vr: str, value: bytes, order: str) -> dict[str, Any] | None:
    code = _NUMBERS[vr]
    size = struct.calcsize(order + code)
    count, rest = divmod(len(value), size)
    if rest:
        return None
    return {"vr": vr, "Value": list(struct.unpack(f"{order}{count}{code}", value))}


_OTHERS = {"PN": _name, "DS": _decimal, "IS": _decimal}
