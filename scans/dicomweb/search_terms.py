"""A QIDO-RS query string, understood: conditions, included attributes, page (PS3.18 section 8.3.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict

from core.problems import UserError
from scans.dicomweb import matching
from scans.dicomweb.attributes import (
    ATTRIBUTES,
    BY_KEYWORD,
    IN_REQUEST,
    Attribute,
    Kept,
    Level,
    keyword_of,
    tag_of,
)
from scans.models import Instance, Series

CONTROLS = frozenset(
    {"limit", "offset", "includefield", "fuzzymatching", "emptyvaluematching", "accept", "site"}
)
PATHS = {
    Level.STUDY: {Level.STUDY: ""},
    Level.SERIES: {Level.STUDY: "study__", Level.SERIES: ""},
    Level.INSTANCE: {Level.STUDY: "series__study__", Level.SERIES: "series__", Level.INSTANCE: ""},
}
MOST = {Level.STUDY: 1000, Level.SERIES: 5000, Level.INSTANCE: 10_000}
"""Rows of one answer; more are had with offset."""
BY_VR: dict[str, Callable[[str, str], Q]] = {
    "UI": matching.uids,
    "DA": matching.day,
    "IS": matching.number,
    "US": matching.number,
    "PN": matching.name,
}


@dataclass(frozen=True)
class Terms:
    """What is asked for; `fuzzy` is a wish that is not met and said so."""

    level: Level
    condition: Q
    included: frozenset[str]
    everything: bool
    limit: int
    offset: int
    fuzzy: bool


def read_terms(query: QueryDict, level: Level) -> Terms:
    """Understand a query string.

    Raises
    ------
    UserError : an attribute that is not known or cannot be searched by, or a value that makes no sense.
    """
    condition = Q()
    for name, value in query.items():
        plain = str(value).replace("\0", "")
        if name.lower() not in CONTROLS and plain.strip("*"):
            condition &= _condition(name, plain, level)
    names = [part.strip() for one in query.getlist("includefield") for part in one.split(",")]
    return Terms(
        level,
        condition,
        _included(names, level),
        "all" in names,
        min(_whole(query, "limit", MOST[level]), MOST[level]),
        _whole(query, "offset", 0),
        query.get("fuzzymatching", "").lower() == "true",
    )


def path_to(attribute: Attribute, level: Level) -> str:
    """The column of an attribute, seen from the table of a level at or below its own."""
    return PATHS[level][attribute.level] + attribute.column


def header_path(tag: str) -> str:
    """Where the header JSON of an instance keeps an attribute."""
    return f"header__dicom_json__{tag}__Value__0"


def _condition(name: str, value: str, level: Level) -> Q:
    first, _, rest = name.partition(".")
    attribute, inner = BY_KEYWORD.get(keyword_of(first)), keyword_of(rest)
    if attribute is None or attribute.level > level or (rest and inner not in IN_REQUEST):
        raise _unknown(name, level)
    if attribute.kept == Kept.SUMMARY:
        return _modality_in_study(attribute, value, level)
    if attribute.kept == Kept.HEADER:
        return _in_header(attribute, inner, value, level)
    column = path_to(attribute, level)
    if attribute.kept == Kept.DAY_OF_MOMENT:
        return matching.day_of_moment(column, value)
    if attribute.kept == Kept.TIME_OF_MOMENT:
        return matching.time_of_moment(column, value)
    if attribute.keyword == "PatientName":
        return matching.patient_name(column, value)
    return BY_VR.get(attribute.vr, matching.text)(column, value)


def _modality_in_study(attribute: Attribute, value: str, level: Level) -> Q:
    if attribute.keyword != "ModalitiesInStudy":
        raise _unknown(attribute.keyword, level)
    study = {Level.STUDY: "pk", Level.SERIES: "study", Level.INSTANCE: "series__study"}[level]
    wanted = Q()
    for modality in value.replace(",", "\\").split("\\"):
        wanted |= matching.text("modality", modality.strip().upper())
    return Q(Exists(Series.objects.filter(wanted, study=OuterRef(study))))


def _in_header(attribute: Attribute, inner: str, value: str, level: Level) -> Q:
    """An attribute that only the headers have: any instance below the row must match."""
    if attribute.vr == "SQ" and not inner:
        raise _unknown(attribute.keyword, level)
    column = header_path(attribute.tag)
    if inner:
        column += f"__{tag_of(inner)}__Value__0"
    of_instance = _header_match(attribute.vr, column, value)
    if attribute.level == Level.INSTANCE:
        return of_instance
    rows = {Level.STUDY: "series__study", Level.SERIES: "series"}[attribute.level]
    own = PATHS[level][attribute.level].removesuffix("__") or "pk"
    return Q(Exists(Instance.objects.filter(of_instance, **{rows: OuterRef(own)})))


def _header_match(vr: str, column: str, value: str) -> Q:
    if vr in ("DA", "TM"):
        return matching.text_range(column, value)
    return BY_VR.get(vr, matching.text)(column, value)


def _included(names: Iterable[str], level: Level) -> frozenset[str]:
    """Keywords to answer beside the usual ones; names that nobody keeps are left out (PS3.18 8.3.4.3)."""
    if "all" in names:
        return frozenset(attribute.keyword for attribute in ATTRIBUTES if attribute.level <= level)
    return frozenset(keyword_of(name) for name in names) - {""}


def _whole(query: QueryDict, name: str, default: int) -> int:
    stated = query.get(name, "").strip()
    if not stated:
        return default
    if not stated.isdigit() or len(stated) > 9:
        raise UserError("bad_value", f"{name} is a whole number from 0 on: correct it and search again.")
    return int(stated)


def _unknown(name: str, level: Level) -> UserError:
    able = ", ".join(a.keyword for a in ATTRIBUTES if a.level <= level and a.kept != Kept.SUMMARY)
    shown = "".join(letter for letter in name if letter.isalnum() or letter == ".")[:64]
    return UserError(
        "unknown_attribute",
        f"{shown} cannot be searched by here. Search by {able} or ModalitiesInStudy, and put other names in "
        "includefield.",
    )
