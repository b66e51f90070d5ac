"""REST: files in."""

from __future__ import annotations

from typing import cast

from django.http import QueryDict
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import person_of
from accounts.uploading import site_for_images
from core.problems import UserError
from scans.models import Upload
from scans.uploads import receive_batch


class UploadView(APIView):
    """Takes files or zips as ordinary multipart (field `files`); answers with an outcome for each file."""

    parser_classes = [MultiPartParser]

    @extend_schema(
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {
                    "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    "site": {"type": "string"},
                },
            }
        },
        responses={201: dict},
    )
    def post(self, request: Request) -> Response:
        person, form = person_of(request), cast("QueryDict", request.data)
        site = site_for_images(person, form.get("site", ""))
        files = [file for name in request.FILES for file in request.FILES.getlist(name)]
        if not files:
            raise UserError("no_files", "No file came with the request: send them in the field files.")
        road = Upload.Road.BROWSER if request.auth is None else Upload.Road.REST
        return Response(receive_batch(person, site, files, road), status=status.HTTP_201_CREATED)
