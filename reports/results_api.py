"""REST: the results of a study as DICOM."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import person_of
from core.querysets import STAFF_ROLES
from reports.results import ask_for_results, results_of
from scans.models import Instance, Study


class ResultSerializer(serializers.ModelSerializer[Instance]):
    """One object of the study that the portal made; it is served by WADO-RS under its UIDs."""

    series_instance_uid = serializers.CharField(source="series.series_instance_uid", read_only=True)
    modality = serializers.CharField(source="series.modality", read_only=True)
    description = serializers.CharField(source="series.description", read_only=True)

    class Meta:
        model = Instance
        fields = [
            "id", "created_at", "modality", "description", "sop_class_uid", "series_instance_uid",
            "sop_instance_uid", "size",
        ]  # fmt: skip
        read_only_fields = fields


class ResultsView(APIView):
    """Segmentation, structured report and signed PDF of a study, made when its report is signed."""

    @extend_schema(responses=ResultSerializer(many=True))
    def get(self, request: Request, pk: Any) -> Response:
        """The objects that there are."""
        return Response(ResultSerializer(results_of(_study(request, pk)), many=True).data)

    @extend_schema(request=None, responses={202: None})
    def post(self, request: Request, pk: Any) -> Response:
        """Make them of the study as it stands now; before the report is signed they are unverified."""
        ask_for_results(person_of(request), _study(request, pk))
        return Response(status=status.HTTP_202_ACCEPTED)


def _study(request: Request, pk: Any) -> Study:
    """A study for staff of its site: a referrer reads reports, not what led to them."""
    person = person_of(request)
    seen = Study.objects.visible_to(person).filter(site__in=person.sites_as(*STAFF_ROLES))
    study: Study = get_object_or_404(seen, pk=pk)
    return study
