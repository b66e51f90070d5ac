"""What every part of the API shares: rows start at `visible_to`, files come as files."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.http import FileResponse, HttpResponse
from rest_framework import mixins, viewsets
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView


class VisibleRows(viewsets.GenericViewSet[Any]):
    """Rows of the sites of the person who asks; those of other sites are not there (404)."""

    def get_queryset(self) -> models.QuerySet[Any]:
        rows: Any = super().get_queryset()
        return rows.visible_to(self.request.user)


class ReadOnlyRows(mixins.ListModelMixin, mixins.RetrieveModelMixin, VisibleRows):
    """List and detail."""


class FileRenderer(JSONRenderer):
    """Takes part in content negotiation; views answer with the file itself, errors stay problem details."""

    charset = None
    render_style = "binary"


class PngRenderer(FileRenderer):
    media_type = "image/png"
    format = "png"


class PdfRenderer(FileRenderer):
    media_type = "application/pdf"
    format = "pdf"


class NumpyRenderer(FileRenderer):
    media_type = "application/octet-stream"
    format = "npy"


def private_file(response: HttpResponse | FileResponse, name: str) -> HttpResponse | FileResponse:
    """Patient data: never in a shared cache, never interpreted as anything but what it is."""
    response["Cache-Control"] = "private, no-cache"
    response["Content-Disposition"] = f'inline; filename="{name}"'
    return response


class NoSuchRoute(APIView):
    """Answers every unknown address of the API with problem details."""

    schema = None

    def handle(self, request: Request, rest: str) -> HttpResponse:
        raise NotFound

    get = post = put = patch = delete = handle
