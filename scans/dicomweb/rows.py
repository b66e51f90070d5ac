"""Rows as DICOM JSON: what one hit of a search says (PS3.18 tables 10.6.3-3 to -5, annex F)."""

from __future__ import annotations

import datetime as dt
from typing import Any

Json = dict[str, Any]
GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
NUMERIC = frozenset({"IS", "US", "UL", "SS", "SL"})


def element(vr: str, value: Any) -> Json:
    """One element of the JSON model; without a value where there is none."""
    if value is None or value in ("", []):
        return {"vr": vr}
    if vr == "PN":
        return {"vr": vr, "Value": [person_name(str(value))]}
    return {"vr": vr, "Value": value if isinstance(value, list) else [_plain(vr, value)]}


def person_name(name: str) -> Json:
    """The groups of a name that has them."""
    return {group: part for group, part in zip(GROUPS, name.split("="), strict=False) if part}


def day(moment: dt.datetime | None) -> str:
    return moment.strftime("%Y%m%d") if moment else ""


def time_of_day(moment: dt.datetime | None) -> str:
    """The time of a study; midnight sharp stands for a study without a time."""
    if moment is None or moment.time() == dt.time():
        return ""
    return moment.strftime("%H%M%S.%f" if moment.microsecond else "%H%M%S")


def _plain(vr: str, value: Any) -> Any:
    if isinstance(value, dt.date):
        return value.strftime("%Y%m%d")
    return int(value) if vr in NUMERIC else str(value)
