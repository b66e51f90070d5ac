"""The hits of a search as DICOM JSON, in a number of queries that does not depend on theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum

from scans.dicomweb import rows as model
from scans.dicomweb.attributes import ATTRIBUTES, Attribute, Kept, Level, tag_of
from scans.dicomweb.search_terms import PATHS, Terms, path_to
from scans.models import Instance, Series

Json = dict[str, Any]
NUMBERLESS = "no number"
"""Issuer of patients whose images have no number; the number that we gave them is not shown as theirs."""


@dataclass(frozen=True)
class Uids:
    """The columns with the UIDs of a hit and of what is above it, from the study down."""

    level: Level

    @property
    def columns(self) -> list[str]:
        names = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
        return [PATHS[self.level][one] + names[one] for one in Level if one <= self.level]

    def url(self, base: str, row: Json) -> str:
        """Where the hit can be retrieved."""
        folders = ("studies", "series", "instances")
        parts = (f"{folder}/{row[column]}" for folder, column in zip(folders, self.columns, strict=False))
        return "/".join((base, *parts))


def attributes_of(terms: Terms, above: Level | None) -> list[Attribute]:
    """What each hit says: the usual attributes of its level and of those that the path does not name."""
    first = Level.STUDY if above is None else Level(above + 1)
    uids = {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"}
    return [
        one
        for one in ATTRIBUTES
        if one.level <= terms.level
        and (one.keyword in terms.included or one.keyword in uids or (one.always and one.level >= first))
    ]


def page(found: QuerySet[Any], terms: Terms, attributes: Sequence[Attribute]) -> list[Json]:
    """The rows of one page with the columns that the answer needs."""
    columns = {path_to(one, terms.level) for one in attributes if one.kept < Kept.HEADER}
    columns |= {*Uids(terms.level).columns, PATHS[terms.level][Level.STUDY] + "patient__issuer"}
    if _needs_header(terms, attributes):
        found = found.annotate(model=_header(terms.level))
        columns.add("model")
    study = (PATHS[terms.level][Level.STUDY] or "pk").removesuffix("__")
    rows = found.annotate(of_study=F(study)).values("of_study", *columns)
    return list(rows[terms.offset : terms.offset + terms.limit])


def as_json(page: Sequence[Json], terms: Terms, attributes: Sequence[Attribute], base: str) -> list[Json]:
    """The page in the DICOM JSON model, each hit with its address."""
    summaries = {}
    if any(one.kept == Kept.SUMMARY for one in attributes):
        summaries = _summaries({row["of_study"] for row in page})
    uids, hits = Uids(terms.level), []
    for row in page:
        hit = {one.tag: _element(one, terms.level, row, summaries) for one in attributes}
        hit |= _asked_of_header(terms, row)
        hit["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
        hit["00081190"] = {"vr": "UR", "Value": [uids.url(base, row)]}
        hits.append(dict(sorted(hit.items())))
    return hits


def _needs_header(terms: Terms, attributes: Iterable[Attribute]) -> bool:
    asked = terms.level == Level.INSTANCE and bool(terms.included or terms.everything)
    return asked or any(one.kept == Kept.HEADER for one in attributes)


def _header(level: Level) -> Any:
    """The header JSON of the instance, or of one below the row."""
    if level == Level.INSTANCE:
        return F("header__dicom_json")
    below = "series__study" if level == Level.STUDY else "series"
    instances = Instance.objects.filter(**{below: OuterRef("pk")}).order_by("pk")
    return Subquery(instances.values("header__dicom_json")[:1])


def _summaries(studies: Iterable[Any]) -> dict[Any, Any]:
    """Modalities and counts of each study, in one query."""
    rows = (
        Series.objects.filter(study__in=list(studies))
        .order_by()
        .values("study")
        .annotate(
            modalities=ArrayAgg("modality", distinct=True),
            series_count=Count("pk"),
            images=Sum("instance_count"),
        )
    )
    return {row["study"]: row for row in rows}


def _element(attribute: Attribute, level: Level, row: Json, summaries: dict[Any, Json]) -> Json:
    vr = attribute.vr
    if attribute.kept == Kept.SUMMARY:
        return model.element(
            vr, summaries.get(row["of_study"], {}).get(attribute.column, 0 if vr == "IS" else [])
        )
    if attribute.kept == Kept.HEADER:
        found: Json = (row["model"] or {}).get(attribute.tag, {"vr": vr})
        return found
    value = row[path_to(attribute, level)]
    if attribute.kept == Kept.DAY_OF_MOMENT:
        return model.element(vr, model.day(value))
    if attribute.kept == Kept.TIME_OF_MOMENT:
        return model.element(vr, model.time_of_day(value))
    ours = row[PATHS[level][Level.STUDY] + "patient__issuer"] == NUMBERLESS
    if ours and attribute.keyword in ("PatientID", "IssuerOfPatientID"):
        return {"vr": vr}
    return model.element(vr, value)


def _asked_of_header(terms: Terms, row: Json) -> Json:
    """What was asked for of an instance beyond the attributes that we have columns for."""
    if terms.level != Level.INSTANCE or "model" not in row:
        return {}
    known = {one.tag for one in ATTRIBUTES if one.kept < Kept.HEADER}
    header: Json = row["model"] or {}
    if terms.everything:
        return {tag: found for tag, found in header.items() if tag not in known}
    tags = {tag_of(keyword) for keyword in terms.included} - known
    return {tag: header[tag] for tag in tags & header.keys()}
