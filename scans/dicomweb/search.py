"""QIDO-RS: `GET /dicomweb/studies`, `/series`, `/instances`, alone or nested (PS3.18 section 10.6)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework import status
from rest_framework.request import Request

from accounts.permissions import person_of
from scans.dicomweb.attributes import Level
from scans.dicomweb.hits import as_json, attributes_of, page
from scans.dicomweb.negotiation import DICOM_JSON, JSON, Offer, choose, wanted
from scans.dicomweb.resource import Resource, base_url, series_of, study_of
from scans.dicomweb.search_terms import PATHS, Terms, read_terms
from scans.dicomweb.stow import StoreInstances
from scans.models import Instance, Series, Study

OFFERS = (Offer(DICOM_JSON), Offer(JSON))
TABLES: dict[Level, Any] = {Level.STUDY: Study, Level.SERIES: Series, Level.INSTANCE: Instance}
ORDER = {
    Level.STUDY: ("-started_at", "-pk"),
    Level.SERIES: ("series_number", "pk"),
    Level.INSTANCE: ("instance_number", "pk"),
}
COUNTED = 1000
"""How many more hits are counted for the warning; of a vast archive nobody waits for the last one."""
NO_FUZZY = "The fuzzymatching parameter is not supported. Only literal matching has been performed."


class Search(Resource):
    """One search; the path may name the study, or the study and the series, that it is below."""

    level: ClassVar[Level]

    def get(
        self, request: Request, study_instance_uid: str = "", series_instance_uid: str = ""
    ) -> HttpResponse:
        media_type = choose(wanted(request), OFFERS).media_type
        terms = read_terms(request.query_params, self.level)
        found = self._rows(request, study_instance_uid, series_instance_uid).filter(terms.condition)
        above = Level.SERIES if series_instance_uid else Level.STUDY if study_instance_uid else None
        attributes = attributes_of(terms, above)
        hits = page(found, terms, attributes)
        body = as_json(hits, terms, attributes, base_url(request))
        return _answer(request, body, media_type, _warnings(found, terms, len(hits)))

    def _rows(self, request: Request, study_uid: str, series_uid: str) -> QuerySet[Any]:
        person = person_of(request)
        found: QuerySet[Any] = TABLES[self.level].objects.visible_to(person).order_by(*ORDER[self.level])
        code = request.query_params.get("site", "").replace("\0", "")
        if code:
            found = found.filter(site__code=code)
        if series_uid:
            return found.filter(series=series_of(request, study_uid, series_uid))
        if study_uid:
            above = PATHS[self.level][Level.STUDY].removesuffix("__")
            return found.filter(**{above: study_of(request, study_uid)})
        return found


class SearchStudies(Search):
    level = Level.STUDY


class SearchSeries(Search):
    level = Level.SERIES


class SearchInstances(Search):
    level = Level.INSTANCE


class Studies(SearchStudies, StoreInstances):
    """The studies: searched with GET, added to with POST."""


def _warnings(found: QuerySet[Any], terms: Terms, shown: int) -> list[str]:
    said = [NO_FUZZY] if terms.fuzzy else []
    if shown == terms.limit and shown:
        end = terms.offset + shown
        more = found.order_by()[end : end + COUNTED].count()
        at_least = "at least " if more == COUNTED else ""
        said += [f"There are {at_least}{more} additional results that can be requested"] if more else []
    return said


def _answer(
    request: Request, body: list[dict[str, Any]], media_type: str, warnings: Sequence[str]
) -> HttpResponse:
    """200 with the hits, 204 without any (PS3.18 table 10.6.3-1)."""
    if body:
        response = HttpResponse(json.dumps(body, separators=(",", ":")), content_type=media_type)
    else:
        response = HttpResponse(status=status.HTTP_204_NO_CONTENT)
    if warnings:
        host = request.get_host()
        response["Warning"] = ", ".join(f'299 {host} "{sentence}"' for sentence in warnings)
    response["Cache-Control"] = "private, no-cache"
    return response
