"""REST: files in."""

from __future__ import annotations

import re
from typing import cast

from django.http import QueryDict
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import person_of
from accounts.uploading import site_for_images
from core.problems import UserError
from scans.models import Instance, Upload
from scans.uploads import receive_batch

MOST_ASKED = 1000
SHA256 = re.compile(r"\A[0-9a-f]{64}\Z")


class KnownSerializer(serializers.Serializer[Instance]):
    """A file that is stored, by the hash of its bytes, and the study that it belongs to."""

    sha256 = serializers.CharField()
    study_instance_uid = serializers.CharField(source="series.study.study_instance_uid")
    study_url = serializers.SerializerMethodField()

    def get_study_url(self, instance: Instance) -> str:
        return f"/studies/{instance.series.study_id}/"


class AskedSerializer(serializers.Serializer[None]):
    sha256 = serializers.ListField(
        child=serializers.RegexField(SHA256), max_length=MOST_ASKED, allow_empty=True
    )
    site = serializers.CharField(required=False, allow_blank=True, default="")


class KnownFilesView(APIView):
    """Which of these files are stored at the site: after a break only the others need to be sent."""

    parser_classes = [JSONParser]

    @extend_schema(request=AskedSerializer, responses={200: KnownSerializer(many=True)})
    def post(self, request: Request) -> Response:
        person = person_of(request)
        asked = AskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        site = site_for_images(person, asked.validated_data["site"])
        stored = (
            Instance.objects.visible_to(person)
            .filter(site=site, sha256__in=asked.validated_data["sha256"])
            .select_related("series__study")
            .defer("header")
        )
        return Response({"known": [KnownSerializer(instance).data for instance in stored]})


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
