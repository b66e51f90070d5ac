"""What every DICOMweb resource shares: it negotiates by itself, and starts at what the person may see."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.permissions import person_of
from scans.models import Instance, Series, Study

INSTANCE_COLUMNS = (
    "pk",
    "site_id",
    "sop_instance_uid",
    "sop_class_uid",
    "transfer_syntax_uid",
    "sha256",
    "size",
)


class OwnNegotiation(DefaultContentNegotiation):
    """Leaves `Accept` of a read to the resource, whose media types have parameters that DRF does not know."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return renderers[0], renderers[0].media_type
        return super().select_renderer(request, renderers, format_suffix)


class Resource(APIView):
    """Answers with plain Django responses; errors are problem details."""

    content_negotiation_class = OwnNegotiation
    schema = None


def base_url(request: HttpRequest | Request) -> str:
    """Where our DICOMweb service is, as the client sees it."""
    return str(request.build_absolute_uri("/dicomweb"))


def study_of(request: Request, study_uid: str) -> Study:
    """The study that this person sees under a UID: the newest, where two of their sites have it.

    Raises
    ------
    Http404 : there is none, or none that they may see.
    """
    rows = Study.objects.visible_to(person_of(request))
    study: Study = _first(_at_site(request, rows, study_instance_uid=study_uid))
    return study


def series_of(request: Request, study_uid: str, series_uid: str) -> Series:
    """The series of a study that this person sees; raises Http404 like `study_of`."""
    rows = Series.objects.visible_to(person_of(request)).select_related("study")
    series: Series = _first(
        _at_site(request, rows, study__study_instance_uid=study_uid, series_instance_uid=series_uid)
    )
    return series


def instance_of(request: Request, study_uid: str, series_uid: str, sop_uid: str) -> Instance:
    """The instance of a series that this person sees; raises Http404 like `study_of`."""
    rows = Instance.objects.visible_to(person_of(request)).only(*INSTANCE_COLUMNS)
    found = {
        "series__study__study_instance_uid": study_uid,
        "series__series_instance_uid": series_uid,
        "sop_instance_uid": sop_uid,
    }
    instance: Instance = _first(_at_site(request, rows, **found))
    return instance


def _at_site(request: Request, rows: QuerySet[Any], **found: str) -> QuerySet[Any]:
    if any("\0" in value for value in found.values()):
        raise Http404
    code = request.query_params.get("site", "").replace("\0", "")
    return rows.filter(**found, **({"site__code": code} if code else {})).order_by("-pk")


def _first(rows: QuerySet[Any]) -> Any:
    row = rows.first()
    if row is None:
        raise Http404
    return row
