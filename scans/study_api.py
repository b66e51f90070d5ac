"""REST: studies and series."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import person_of
from core.api import ReadOnlyRows
from core.pagination import NewestFirstCursor
from scans.filters import SeriesFilter, StudyFilter
from scans.ingest.complete import tell_complete
from scans.models import Series, Study
from scans.serializers import SeriesSerializer, StudySerializer

MOST_SUSPICIOUS = "most_suspicious"
UUID_LENGTH = 36
BY_KEY = OpenApiParameter(
    "id", OpenApiTypes.STR, OpenApiParameter.PATH, description="Id or study instance UID."
)


class StudyCursor(NewestFirstCursor):
    """Newest first, or the most suspicious first as in the worklist."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        wanted = request.query_params.get("ordering")
        return ("-priority", "-id") if wanted == MOST_SUSPICIOUS else ("-id",)


class StudyViewSet(ReadOnlyRows):
    """Studies with the state of their reading (`status`, `progress`) and of their report (`review`)."""

    queryset = Study.objects.select_related("site", "patient", "read_series")
    serializer_class = StudySerializer
    filterset_class = StudyFilter
    pagination_class = StudyCursor
    lookup_value_regex = "[0-9a-fA-F.-]+"

    def get_object(self) -> Study:
        """By id or by study instance UID."""
        key = self.kwargs["pk"]
        studies = self.get_queryset().order_by("-id")
        try:
            study: Study | None = studies.filter(**{_column_of(key): key}).first()
        except ValidationError as error:
            raise Http404 from error
        if study is None:
            raise Http404
        return study

    @extend_schema(
        parameters=[
            OpenApiParameter("ordering", str, enum=[MOST_SUSPICIOUS], description="Newest first if left out.")
        ]
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(parameters=[BY_KEY])
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(request=None, responses={202: StudySerializer}, parameters=[BY_KEY])
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: str) -> Response:
        """All images have come: build and read the study now instead of waiting for it to fall quiet."""
        tell_complete(person_of(request), self.get_object())
        return Response(self.get_serializer(self.get_object()).data, status=status.HTTP_202_ACCEPTED)


def _column_of(key: str) -> str:
    return "pk" if len(key) == UUID_LENGTH and "-" in key else "study_instance_uid"


class SeriesViewSet(ReadOnlyRows):
    """Series of studies; a series that is not read says why."""

    queryset = Series.objects.select_related("study")
    serializer_class = SeriesSerializer
    filterset_class = SeriesFilter
