"""WADO-RS metadata: `GET .../metadata` of a study, a series, an instance (PS3.18 section 10.4.1.1.2)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from rest_framework.request import Request

from accounts.permissions import person_of
from scans.dicomweb.documents import GZIP, document_of, fingerprint_of, text_of, text_of_instance
from scans.dicomweb.negotiation import DICOM_JSON, JSON, Offer, choose, wanted
from scans.dicomweb.resource import Resource, base_url, instance_of, series_of, study_of
from scans.models import Series

OFFERS = (Offer(DICOM_JSON), Offer(JSON))
QUICK = 1
"""Level of compression on the way out: the slower levels take longer than the wire saves."""


class SeriesMetadata(Resource):
    """All instances of a series, from its document."""

    def get(self, request: Request, study_instance_uid: str, series_instance_uid: str) -> HttpResponseBase:
        media_type = choose(wanted(request), OFFERS).media_type
        series = series_of(request, study_instance_uid, series_instance_uid)
        base = base_url(request)
        tag = etag(base, fingerprint_of(series))
        if unchanged(request, tag):
            return not_modified(tag)
        text = text_of(document_of(series), base)
        if takes_gzip(request):
            response = HttpResponse(gzip.compress(text, QUICK), content_type=media_type)
            response["Content-Encoding"] = "gzip"
        else:
            response = HttpResponse(text, content_type=media_type)
        return tagged(response, tag)


class StudyMetadata(Resource):
    """All instances of a study: the documents of its series, one after the other."""

    def get(self, request: Request, study_instance_uid: str) -> HttpResponseBase:
        media_type = choose(wanted(request), OFFERS).media_type
        study = study_of(request, study_instance_uid)
        series = list(
            Series.objects.visible_to(person_of(request)).filter(study=study).select_related("study")
        )
        if not series:
            raise Http404
        base = base_url(request)
        tag = etag(base, *(fingerprint_of(one) for one in series))
        if unchanged(request, tag):
            return not_modified(tag)
        texts = _joined(series, base)
        compressed = takes_gzip(request)
        response = StreamingHttpResponse(_packed(texts) if compressed else texts, content_type=media_type)
        if compressed:
            response["Content-Encoding"] = "gzip"
        return tagged(response, tag)


class InstanceMetadata(Resource):
    """One instance."""

    def get(
        self, request: Request, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str
    ) -> HttpResponseBase:
        media_type = choose(wanted(request), OFFERS).media_type
        instance = instance_of(request, study_instance_uid, series_instance_uid, sop_instance_uid)
        tag = etag(base_url(request), instance.sha256)
        if unchanged(request, tag):
            return not_modified(tag)
        text = text_of_instance(instance, base_url(request))
        return tagged(HttpResponse(text, content_type=media_type), tag)


def etag(*parts: str) -> str:
    """A tag that follows the content; weak, since compression may differ."""
    return f'W/"{sha256(" ".join(parts).encode()).hexdigest()[:32]}"'


def unchanged(request: Request, tag: str) -> bool:
    """Whether the client already has what it asks for."""
    return tag in parse_etags(request.headers.get("If-None-Match", ""))


def not_modified(tag: str) -> HttpResponse:
    return HttpResponse(status=304, headers={"ETag": tag})


def tagged(response: HttpResponseBase, tag: str) -> HttpResponseBase:
    """With what a client needs to keep it and to ask again."""
    response["ETag"] = tag
    response["Vary"] = "Accept, Accept-Encoding, Authorization, Cookie"
    response["Cache-Control"] = "private, no-cache"
    return response


def takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("Accept-Encoding", "")


def _joined(series: Sequence[Series], base: str) -> Iterator[bytes]:
    """One array out of many, a series at a time in memory."""
    before = b"["
    for one in series:
        inner = text_of(document_of(one), base)[1:-1]
        if inner:
            yield before + inner
            before = b","
    yield b"]" if before == b"," else b"[]"


def _packed(texts: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(QUICK, zlib.DEFLATED, GZIP)
    for text in texts:
        yield packer.compress(text)
    yield packer.flush()
