"""Whether two files hold the same object, whatever their transfer syntax; and where they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from pydicom.datadict import dictionary_description, keyword_for_tag

from scans.dicom.headers import Header, read_header
from scans.dicom.image import open_image
from scans.dicom.pixels import damage_refused
from scans.dicom.refusal import Refused

OF_THE_ENCODING = frozenset({"00082111", "00089215"})
"""Derivation description and code: a lossless encoder notes here that it was at work."""

LONGEST_SHOWN = 120


@dataclass(frozen=True)
class Difference:
    """One attribute that differs, as text; an absent one is empty."""

    tag: str
    name: str
    old: str
    new: str


def same_pixels(old: BinaryIO, new: BinaryIO) -> bool:
    """Whether one file is a lossless re-encoding of the other: same attributes, same stored values.

    Group lengths and the derivation that an encoder notes do not count. What cannot be decoded differs.
    """
    try:
        headers = read_header(old), read_header(new)
        return not differences(*headers) and largest_pixel_difference(old, new) == 0
    except Refused:
        return False


def differences(old: Header, new: Header) -> list[Difference]:
    """The attributes that differ, transfer syntax and pixels left aside."""
    return [
        Difference(f"({tag[:4]},{tag[4:]})", _name(tag), _text(one), _text(other))
        for tag, one, other in _differing(old, new)
    ]


def largest_pixel_difference(old: BinaryIO, new: BinaryIO) -> int | None:
    """The largest difference between stored values over all frames; None where the shapes differ.

    Raises
    ------
    Refused : the pixels of one of them cannot be decoded.
    """
    with damage_refused():
        first, second = open_image(old), open_image(new)
    if first.frames != second.frames:
        return None
    largest = 0
    for frame in range(first.frames):
        one, other = first.stored(frame), second.stored(frame)
        if one.shape != other.shape:
            return None
        largest = max(largest, int(np.abs(one.astype(np.int64) - other.astype(np.int64)).max(initial=0)))
    return largest


def _differing(old: Header, new: Header) -> Iterator[tuple[str, Any, Any]]:
    for tag in sorted(old.dicom_json.keys() | new.dicom_json.keys()):
        if tag in OF_THE_ENCODING or tag.endswith("0000"):
            continue
        one, other = old.dicom_json.get(tag), new.dicom_json.get(tag)
        if one != other:
            yield tag, one, other


def _name(tag: str) -> str:
    return dictionary_description(int(tag, 16)) if keyword_for_tag(int(tag, 16)) else "unknown"


def _text(element: dict[str, Any] | None) -> str:
    if element is None:
        return ""
    values = element.get("Value", [element.get("InlineBinary", "")])
    shown = "\\".join(_one(value) for value in values)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"


def _one(value: Any) -> str:
    if isinstance(value, dict) and "Alphabetic" in value:
        return "=".join(str(group) for group in value.values())
    return str(value)
