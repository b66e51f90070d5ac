"""REST: decisions, the nodules as they stand, and reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import person_of
from core.api import PdfRenderer, ReadOnlyRows, private_file
from core.querysets import STAFF_ROLES
from inference.models import Finding
from reports import actions
from reports.filters import DecisionFilter, ReportFilter
from reports.models import Decision, Report, ReportVersion
from reports.nodules import nodules_of
from reports.pdf import render_pdf
from reports.serializers import (
    AddendumSerializer,
    DecisionSerializer,
    NewDecisionSerializer,
    NoduleSerializer,
    OpenDraftSerializer,
    ReportSerializer,
    ReportWithTextSerializer,
    SaveDraftSerializer,
    SignSerializer,
    TextsSerializer,
    VersionSerializer,
)
from scans.models import Study


def given(serializer: type[Any], request: Request) -> dict[str, Any]:
    """What came with the request, checked; problem details name every field that is wrong."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


class NodulesView(APIView):
    """The nodules of a study as they stand now: findings of the newest reading and added ones."""

    @extend_schema(responses=NoduleSerializer(many=True))
    def get(self, request: Request, pk: str) -> Response:
        study = get_object_or_404(
            Study.objects.visible_to(person_of(request)).filter(site__in=_staff_sites(request)), pk=pk
        )
        return Response(NoduleSerializer(nodules_of(study), many=True).data)


def _staff_sites(request: Request) -> list[Any]:
    """A referrer reads reports, not what led to them."""
    return person_of(request).sites_as(*STAFF_ROLES)


class DecisionViewSet(ReadOnlyRows):
    """Who decided what about which finding. Decisions are never changed; a later one counts."""

    queryset = Decision.objects.select_related("person")
    serializer_class = DecisionSerializer
    filterset_class = DecisionFilter

    @extend_schema(request=NewDecisionSerializer, responses={201: DecisionSerializer})
    def create(self, request: Request) -> Response:
        """Accept, reject or correct a finding; add a nodule; correct or withdraw an added one."""
        fields = given(NewDecisionSerializer, request)
        decision = self._act(fields)(**fields)
        return Response(DecisionSerializer(decision).data, status=status.HTTP_201_CREATED)

    def _act(self, fields: dict[str, Any]) -> Callable[..., Decision]:
        """The action for what was named; takes the names out of the fields."""
        person = person_of(self.request)
        finding, study, about = (fields.pop(name, None) for name in ("finding", "study", "about"))
        if finding:
            row = get_object_or_404(Finding.objects.visible_to(person).defer("mask_bits"), pk=finding)
            return lambda **more: actions.decide(person, row, **more)
        if about:
            decision = get_object_or_404(self.get_queryset().select_related("about"), pk=about)
            return lambda **more: actions.revise_added(person, decision, **more)
        where = get_object_or_404(Study.objects.visible_to(person), pk=study)
        fields.pop("kind"), fields.pop("reason", None)
        nodule = {name: None for name in ("center_mm", "slice_index", "long_axis_mm", "short_axis_mm")}
        return lambda **more: actions.add_nodule(
            person, where, **{**nodule, "type": "", "location": "", **more}
        )


class ReportViewSet(ReadOnlyRows):
    """Reports: drafts with revisions, final once signed; addenda come after that."""

    queryset = Report.objects.select_related("study", "signed_by", "editing_by").prefetch_related(
        "addenda__person"
    )
    filterset_class = ReportFilter

    def get_serializer_class(self) -> type[ReportSerializer]:
        return ReportSerializer if self.action == "list" else ReportWithTextSerializer

    @extend_schema(request=OpenDraftSerializer, responses={200: ReportWithTextSerializer})
    def create(self, request: Request) -> Response:
        """Open the draft of a study; where there is none yet, it is written from the decisions."""
        key = given(OpenDraftSerializer, request)["study"]
        study = get_object_or_404(Study.objects.visible_to(person_of(request)), pk=key)
        return self._answer(actions.open_draft(person_of(request), study))

    @extend_schema(request=SaveDraftSerializer, responses=VersionSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Save the draft; 409 if somebody saved after the revision that the texts started from."""
        report = self.get_object()
        texts = given(SaveDraftSerializer, request)
        version = actions.save_draft(person_of(request), report, revision=texts.pop("revision"), texts=texts)
        return Response(VersionSerializer(version, context=self.get_serializer_context()).data)

    @extend_schema(responses=TextsSerializer)
    @action(detail=True)
    def redraft(self, request: Request, pk: str) -> Response:
        """Fresh text from the decisions as they stand now; nothing is saved."""
        return Response(actions.redraft(person_of(request), self.get_object()))

    @extend_schema(request=SignSerializer, responses=ReportWithTextSerializer)
    @action(detail=True, methods=["post"])
    def sign(self, request: Request, pk: str) -> Response:
        """Sign: the report is final from then on."""
        report = self.get_object()
        return self._answer(actions.sign(person_of(request), report, **given(SignSerializer, request)))

    @extend_schema(request=AddendumSerializer, responses={201: AddendumSerializer})
    @action(detail=True, methods=["post"])
    def addenda(self, request: Request, pk: str) -> Response:
        """Add a signed text to a final report."""
        report = self.get_object()
        addendum = actions.add_addendum(person_of(request), report, **given(AddendumSerializer, request))
        return Response(AddendumSerializer(addendum).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=VersionSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def versions(self, request: Request, pk: str) -> Response:
        """Every saved state of the text, newest first."""
        seen: QuerySet[ReportVersion] = ReportVersion.objects.visible_to(person_of(request))
        found = seen.filter(report=self.get_object()).select_related("person").order_by("-revision")
        return Response(VersionSerializer(found, many=True, context=self.get_serializer_context()).data)

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=[JSONRenderer, PdfRenderer])
    def pdf(self, request: Request, pk: str) -> HttpResponse | FileResponse:
        """The report as a document; a draft carries a watermark."""
        report = self.get_object()
        response = HttpResponse(render_pdf(report), content_type="application/pdf")
        return private_file(response, f"report-{report.pk}.pdf")

    def _answer(self, report: Report) -> Response:
        fresh = self.get_queryset().get(pk=report.pk)
        return Response(ReportWithTextSerializer(fresh, context=self.get_serializer_context()).data)
