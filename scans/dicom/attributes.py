"""Single attributes of a data set, read leniently: a value that makes no sense counts as absent."""

from __future__ import annotations

import datetime as dt
import math
import re
from functools import cache
from typing import Any, cast

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from scans.dicom.json_fast import fast_model

_DATE = re.compile(r"[0-9]{8}")


@cache
def tag_of(keyword: str) -> BaseTag:
    return Tag(keyword)


def values(dataset: Dataset, keyword: str) -> list[Any]:
    """All values under `keyword`, none if absent or not decodable."""
    raw: object = dataset._dict.get(tag_of(keyword))  # `get_item` makes a tag first, sixty times a header
    if raw is None:
        return []
    quick = fast_model(raw) if isinstance(raw, RawDataElement) and raw.VR != "PN" else None
    if quick is not None:
        return list(quick.get("Value", ()))
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom raises many kinds on damaged values; all mean "no usable value"
        return []
    if value is None or (isinstance(value, str | bytes) and not value):
        return []
    return list(value) if isinstance(value, MultiValue | Sequence | list) else [value]


def text(dataset: Dataset, keyword: str) -> str:
    """One line of text, several values joined by a backslash as in the file."""
    joined = "\\".join(str(value) for value in values(dataset, keyword))
    return joined.replace("\0", "").strip()


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    return tuple(str(value).replace("\0", "").strip() for value in values(dataset, keyword))


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first value as a finite number."""
    found = numbers(dataset, keyword)
    return found[0] if found else None


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """All values as finite numbers; empty if any of them is none."""
    try:
        found = tuple(float(value) for value in values(dataset, keyword))
    except (TypeError, ValueError):
        return ()
    return found if all(math.isfinite(value) for value in found) else ()


def integer(dataset: Dataset, keyword: str) -> int | None:
    """A single whole number of 32 bits (PS3.5 table 6.2-1, IS); several values count as none."""
    found = numbers(dataset, keyword)
    whole = len(found) == 1 and found[0] == int(found[0]) and -(2**31) <= found[0] < 2**31
    return int(found[0]) if whole else None


def date(dataset: Dataset, keyword: str) -> dt.date | None:
    """A DICOM date (PS3.5 table 6.2-1: YYYYMMDD; the old YYYY.MM.DD too)."""
    digits = text(dataset, keyword).replace(".", "").replace("-", "")
    try:
        return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) if _DATE.match(digits) else None
    except ValueError:
        return None


def time(dataset: Dataset, keyword: str) -> dt.time | None:
    """A DICOM time: HH, HHMM, HHMMSS or HHMMSS.FFFFFF."""
    match = re.match(r"(\d\d)(\d\d)?(\d\d)?(?:\.(\d{1,6}))?", text(dataset, keyword).replace(":", ""))
    if match is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    try:
        return dt.time(hour, minute, min(second, 59), int((match[4] or "0").ljust(6, "0")))
    except ValueError:
        return None


def uid(dataset: Dataset, keyword: str) -> str:
    return text(dataset, keyword).strip()


def age_years(dataset: Dataset, born: dt.date | None, on: dt.date | None) -> int | None:
    """Completed years on the study date; from the birth date if there is one, else PatientAge."""
    if born is not None and on is not None and born <= on:
        return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text(dataset, "PatientAge").upper())
    if match is None:
        return None
    per_year = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[match[2]]
    return int(int(match[1]) / per_year)


def from_groups(dataset: Dataset, sequence: str, keyword: str, frame: int = 0) -> Dataset:
    """The data set that holds `keyword`: the top level, or a functional group of a multi-frame image."""
    if tag_of(keyword) in dataset._dict:
        return dataset
    item = in_groups(dataset, sequence, frame)
    return item if keyword in item else dataset


def in_groups(dataset: Dataset, sequence: str, frame: int = 0) -> Dataset:
    """The functional group macro of a frame, from its own groups or the shared ones (PS3.3 C.7.6.16).

    An empty data set if there is none.
    """
    per_frame = values(dataset, "PerFrameFunctionalGroupsSequence")[frame : frame + 1]
    for group in per_frame + values(dataset, "SharedFunctionalGroupsSequence")[:1]:
        for item in values(group, sequence)[:1]:
            return cast(Dataset, item)
    return Dataset()
