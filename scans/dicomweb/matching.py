"""Conditions of QIDO-RS: single values, lists of UIDs, wildcards and ranges (PS3.4 section C.2.2.2)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Q

from core.problems import UserError
from patients.models import Patient
from patients.querysets import Trigrams, trigrams

WILD = re.compile(r"[*?]")
GROUP_WILD = {"*": "[^=]*", "?": "[^=]"}
TEXT_WILD = {"*": ".*", "?": "."}
T = TypeVar("T")
_TIME = re.compile(r"(\d\d)(\d\d)?(\d\d)?(?:\.(\d{1,6}))?")


def uids(column: str, value: str) -> Q:
    """Any of a list of UIDs, separated by commas or backslashes."""
    return Q(**{f"{column}__in": [uid.strip() for uid in re.split(r"[,\\]", value) if uid.strip()]})


def text(column: str, value: str) -> Q:
    """One text, or a pattern with `*` and `?`; case matters."""
    if not WILD.search(value):
        return Q(**{column: value})
    if value.endswith("*") and not WILD.search(value[:-1]):
        return Q(**{f"{column}__startswith": value[:-1]})
    return Q(**{f"{column}__regex": f"^{_regex(value, TEXT_WILD)}$"})


def number(column: str, value: str) -> Q:
    """A whole number.

    Raises
    ------
    UserError : it is none.
    """
    if not re.fullmatch(r"[+-]?\d{1,9}", value.strip()):
        raise _wrong(value, "a whole number")
    return Q(**{column: int(value)})


def name(column: str, value: str) -> Q:
    """A person name in any case: one group of it, or groups joined by `=`; trailing carets do not count."""
    return Q(**{f"{column}__iregex": _name_regex(value)})


def patient_name(column: str, value: str) -> Q:
    """A patient's name, by way of the index of three letters where the pattern has as many."""
    patients = Patient.objects.filter(name("name", value))
    literal = max(WILD.split(value.strip("^= ")), key=len)
    if len(literal) > 2:
        patients = patients.alias(grams=Trigrams("search_text")).filter(
            Q(grams__contains=trigrams(literal.upper()))
        )
    return Q(**{f"{column.removesuffix('__name')}__in": patients.values("pk")})


def day(column: str, value: str) -> Q:
    """A date or a range of dates in a column of dates."""
    first, last = _ends(value, _date)
    return _between(column, first, last)


def day_of_moment(column: str, value: str) -> Q:
    """A date or a range of dates in a column of moments, in a form that its index serves."""
    first, last = _ends(value, _date)
    start = first and dt.datetime.combine(first, dt.time(), tzinfo=dt.UTC)
    end = last and dt.datetime.combine(last, dt.time.max, tzinfo=dt.UTC)
    return _between(column, start, end)


def time_of_moment(column: str, value: str) -> Q:
    """A time of day or a range of times in a column of moments; a time without seconds means all of them."""
    first, last = _ends(value, _span)
    return _between(f"{column}__time", first and first[0], last and last[1])


def text_range(column: str, value: str) -> Q:
    """A range of dates or times that are kept as the texts of the header; they sort as texts."""
    first, last = _ends(value, str)
    return _between(column, first, last and last + "\uffff")


def _between(column: str, first: Any, last: Any) -> Q:
    condition = Q()
    if first is not None:
        condition &= Q(**{f"{column}__gte": first})
    if last is not None:
        condition &= Q(**{f"{column}__lte": last})
    return condition


def _ends(value: str, read: Callable[[str], T]) -> tuple[T | None, T | None]:
    """Both ends of `a-b`, `a-`, `-b`; the same twice of a single value."""
    first, dash, last = value.strip().partition("-")
    if not dash:
        return read(first), read(first)
    if not first and not last:
        raise _wrong(value, "a value or a range such as 20260101-20260331")
    return read(first) if first else None, read(last) if last else None


def _date(digits: str) -> dt.date:
    try:
        if re.fullmatch(r"\d{8}", digits.strip()):
            return dt.datetime.strptime(digits.strip(), "%Y%m%d").date()
    except ValueError:
        pass
    raise _wrong(digits, "a date (YYYYMMDD) or a range of dates")


def _span(digits: str) -> tuple[dt.time, dt.time]:
    """The first and the last moment that a time such as 10, 1042 or 104200 stands for."""
    match = _TIME.fullmatch(digits.strip().replace(":", ""))
    try:
        if match is not None:
            hour, minute, second, fraction = match.groups()
            start = dt.time(
                int(hour), int(minute or 0), int(second or 0), int((fraction or "0").ljust(6, "0"))
            )
            last = (int(minute or 59), int(second or 59), int((fraction or "9").ljust(6, "9")))
            return start, dt.time(int(hour), *last)
    except ValueError:
        pass
    raise _wrong(digits, "a time (HHMMSS) or a range of times")


def _name_regex(value: str) -> str:
    groups = [_regex(group.strip().rstrip("^"), GROUP_WILD) for group in value.split("=")]
    if len(groups) > 1:
        return "^" + "=".join(rf"{group}\^*" for group in _without_empty_end(groups)) + "(=|$)"
    return rf"(^|=){groups[0]}\^*(=|$)"


def _without_empty_end(groups: Sequence[str]) -> list[str]:
    kept = list(groups)
    while len(kept) > 1 and not kept[-1]:
        kept.pop()
    return kept


def _regex(pattern: str, wild: dict[str, str]) -> str:
    return "".join(wild.get(letter) or re.escape(letter) for letter in pattern)


def _wrong(value: str, expected: str) -> UserError:
    return UserError("bad_value", f"A value of the search is not {expected}: correct it and search again.")
