"""REST: one image in, its answer out."""

from __future__ import annotations

import re
import time
from typing import Any, cast

from django.http import FileResponse, HttpResponse, QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.permissions import person_of
from accounts.uploading import site_for_images
from core.api import PngRenderer, ReadOnlyRows, private_file
from inference.single import actions, files
from inference.single.models import SingleImage
from inference.single.serializers import SingleImageSerializer

LONGEST_WAIT_S = 5.0  # a waiting request holds a thread of the web server
LOOK_EVERY_S = 0.15
PREFER_WAIT = re.compile(r"\bwait\s*=\s*(\d{1,3})")  # RFC 7240 section 4.3

FORM = {
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}, "site": {"type": "string"}},
    }
}
WAIT = OpenApiParameter(
    "wait", int, description="Seconds to hold the answer back until it is there, at most 5."
)


@extend_schema_view(create=extend_schema(parameters=[WAIT], request=FORM, responses=SingleImageSerializer))
class ImageViewSet(mixins.DestroyModelMixin, ReadOnlyRows):
    """Single images of the person who asks. They are forgotten after a day."""

    queryset = SingleImage.objects.order_by("-id")
    serializer_class = SingleImageSerializer
    parser_classes = [MultiPartParser]
    http_method_names = ["get", "head", "options", "post", "delete"]

    def create(self, request: Request) -> Response:
        """Send one PNG, JPEG, BMP, TIFF or DICOM slice; 201 with the answer, 202 while it is worked out."""
        person, form = person_of(request), cast("QueryDict", request.data)
        site = site_for_images(person, form.get("site", ""))
        image = _waited_for(actions.take(person, site, request.FILES.get("file")), _patience_s(request))
        told = self.get_serializer(image).data
        waiting = image.state == SingleImage.State.WAITING
        code = status.HTTP_202_ACCEPTED if waiting else status.HTTP_201_CREATED
        return Response(told, status=code, headers={"Location": told["url"], "Retry-After": "1"})

    def perform_destroy(self, instance: SingleImage) -> None:
        actions.forget(instance)

    @extend_schema(
        parameters=[OpenApiParameter("window", str, enum=files.WINDOWS)],
        responses={(200, "image/png"): OpenApiTypes.BINARY},
    )
    @action(detail=True, renderer_classes=[JSONRenderer, PngRenderer])
    def picture(self, request: Request, pk: str) -> HttpResponse | FileResponse:
        """The image as PNG; a DICOM slice in the lung or the mediastinal window."""
        image: SingleImage = self.get_object()
        asked = request.query_params.get("window", "")
        window = asked if asked in files.WINDOWS else files.WINDOWS[0]
        content = files.as_png(files.restored(image.stored), window)
        return private_file(HttpResponse(content, content_type="image/png"), f"{image.pk}.png")


def _patience_s(request: Request) -> float:
    """How long the sender wants to wait, by `?wait=` or `Prefer: wait=`, at most LONGEST_WAIT_S."""
    asked: Any = request.query_params.get("wait", "")
    found = PREFER_WAIT.search(request.headers.get("Prefer", ""))
    seconds = asked if asked.isdecimal() and len(asked) < 4 else found.group(1) if found else "0"
    return min(float(seconds), LONGEST_WAIT_S)


def _waited_for(image: SingleImage, patience_s: float) -> SingleImage:
    deadline = time.monotonic() + patience_s
    while image.state == SingleImage.State.WAITING and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        image.refresh_from_db()
    return image
