"""REST: jobs, readings, findings with their outlines and key images."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from django.db.models import Prefetch
from django.http import FileResponse, Http404, HttpResponse
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
from core.api import NumpyRenderer, PngRenderer, ReadOnlyRows, private_file
from core.pagination import NewestFirstCursor
from inference import jobs
from inference.filters import FindingFilter, JobFilter, ReadingFilter
from inference.models import Finding, Job, Reading
from inference.results import mask_of, sensitivity_of
from inference.serializers import FindingSerializer, JobSerializer, ReadAnywaySerializer, ReadingSerializer
from inference.waiting import Queue
from scans.models import Series


class JobViewSet(ReadOnlyRows):
    """Readings that were asked for, with their place in the queue."""

    queryset = Job.objects.select_related("study", "volume")
    serializer_class = JobSerializer
    filterset_class = JobFilter

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "queue": Queue()}

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop a job that has not ended."""
        return Response(self.get_serializer(jobs.cancel(person_of(request), self.get_object())).data)

    @extend_schema(request=None, responses={202: ReadAnywaySerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Read again what failed or was cancelled."""
        job = jobs.retry(person_of(request), self.get_object())
        return _asked_for(job, self.get_serializer_context())


class ReadAnywayView(APIView):
    """A radiologist asks for a series to be read although its checks refused it."""

    @extend_schema(request=None, responses={202: ReadAnywaySerializer})
    def post(self, request: Request, pk: str) -> Response:
        series = get_object_or_404(
            Series.objects.visible_to(person_of(request)).select_related("study"), pk=pk
        )
        job = jobs.read_anyway(person_of(request), series)
        return _asked_for(job, {"request": request, "queue": Queue()})


def _asked_for(job: Job | None, context: dict[str, Any]) -> Response:
    answer = ReadAnywaySerializer({"job": job}, context=context)
    return Response(answer.data, status=status.HTTP_202_ACCEPTED)


class ReadingViewSet(ReadOnlyRows):
    """What the networks said of a volume, with pipeline, hashes and timings."""

    queryset = Reading.objects.select_related("study", "volume", "pipeline").prefetch_related(
        Prefetch("findings", Finding.objects.only("reading", "number", "p_nodule", "malignancy"))
    )
    serializer_class = ReadingSerializer
    filterset_class = ReadingFilter


class MostProbableFirst(NewestFirstCursor):
    ordering = ("-p_nodule", "id")  # type: ignore[assignment]


class FindingViewSet(ReadOnlyRows):
    """Nodules that the networks found, most probable first."""

    queryset = Finding.objects.select_related("study", "reading")
    serializer_class = FindingSerializer
    filterset_class = FindingFilter
    pagination_class = MostProbableFirst

    def get_queryset(self) -> Any:
        found = super().get_queryset()
        return found if self.action == "mask" else found.defer("mask_bits")

    def get_object(self) -> Finding:
        """Any finding by its id, also one of an older reading."""
        return get_object_or_404(self.get_queryset(), pk=self.kwargs["pk"])

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=[JSONRenderer, NumpyRenderer])
    def mask(self, request: Request, pk: str) -> HttpResponse | FileResponse:
        """The outline as .npy, bool (z, y, x); X-Mask-Start says at which voxel of the volume it begins."""
        finding = self.get_object()
        file = io.BytesIO()
        np.save(file, mask_of(finding), allow_pickle=False)
        response = HttpResponse(file.getvalue(), content_type=NumpyRenderer.media_type)
        response["X-Mask-Start"] = ",".join(map(str, finding.mask_start))
        response["X-Mask-Shape"] = ",".join(map(str, finding.mask_shape))
        return private_file(response, f"{finding.pk}.npy")

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, renderer_classes=[JSONRenderer, NumpyRenderer])
    def sensitivity(self, request: Request, pk: str) -> HttpResponse | FileResponse:
        """What the malignancy rating reacts to, as .npy, uint8 (z, y, x): sensitivity, not location.

        X-Mask-Start says at which voxel of the volume it begins; 404 where no map was made.
        """
        finding = self.get_object()
        if not finding.sensitivity or not default_storage.exists(finding.sensitivity):
            raise Http404
        file = io.BytesIO()
        np.save(file, sensitivity_of(finding), allow_pickle=False)
        response = HttpResponse(file.getvalue(), content_type=NumpyRenderer.media_type)
        response["X-Mask-Start"] = ",".join(map(str, finding.sensitivity_start or ()))
        return private_file(response, f"{finding.pk}-sensitivity.npy")

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY})
    @action(detail=True, url_path="key-image", renderer_classes=[JSONRenderer, PngRenderer])
    def key_image(self, request: Request, pk: str) -> HttpResponse | FileResponse:
        """The slice with the largest outline, as a picture."""
        finding = self.get_object()
        if not finding.key_image or not default_storage.exists(finding.key_image):
            raise Http404
        picture = default_storage.open(finding.key_image)
        return private_file(FileResponse(picture, content_type="image/png"), f"{finding.pk}.png")
