"""A built volume over HTTP: its file whole or in ranges, and its geometry; both never change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

from django.core.files.storage import default_storage
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.cache import patch_vary_headers

from accounts.requests import PersonRequest
from core.audit import audited_once_per
from core.pages import page
from scans.models import Series, Volume

FOREVER = "private, max-age=31536000, immutable"
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
CHUNK = 1 << 18


@audited_once_per(minutes=10)
@page()
def volume_file(request: PersonRequest, pk: UUID, digest: str) -> HttpResponseBase:
    """The volume file as `scans.dicom.volume_file` lays it out; one range at a time (RFC 9110 14)."""
    volume = _volume(request, pk, digest)
    tag = f'"{volume.digest[:32]}"'
    if request.headers.get("If-None-Match") == tag:
        return _kept(HttpResponse(status=304), tag)
    size = default_storage.size(volume.file)
    asked = request.headers.get("Range", "")
    if request.headers.get("If-Range", tag) != tag:
        asked = ""
    found = RANGE.fullmatch(asked.replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return _kept(_whole(volume, size), tag)
    return _kept(_part(volume, size, *_bounds(found[1], found[2], size)), tag)


@audited_once_per(minutes=10)
@page()
def volume_geometry(request: PersonRequest, pk: UUID, digest: str) -> HttpResponseBase:
    """Where the voxels of a volume lie: shape (z, y, x), spacing, origin and direction (LPS mm)."""
    volume = _volume(request, pk, digest)
    document = {
        "digest": volume.digest,
        "shape": volume.shape,
        "spacing_mm": volume.spacing_mm,
        "origin_mm": volume.origin_mm,
        "direction": [volume.direction[k : k + 3] for k in (0, 3, 6)],
        "sop_instance_uids": volume.sop_instance_uids,
    }
    return _kept(JsonResponse(document), f'"{volume.digest[:32]}-g"')


def _volume(request: PersonRequest, pk: UUID, digest: str) -> Volume:
    series = get_object_or_404(Series.objects.visible_to(request.user), pk=pk)
    return get_object_or_404(series.volumes, digest=digest.replace("\0", ""))


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """First byte and the one after the last; a range without a start counts from the end."""
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


def _whole(volume: Volume, size: int) -> HttpResponseBase:
    response = StreamingHttpResponse(_bytes(volume, 0, size), content_type="application/octet-stream")
    response["Content-Length"] = str(size)
    return response


def _part(volume: Volume, size: int, start: int, end: int) -> HttpResponseBase:
    if start >= min(end, size):
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    response = StreamingHttpResponse(
        _bytes(volume, start, end), status=206, content_type="application/octet-stream"
    )
    response["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    response["Content-Length"] = str(end - start)
    return response


def _bytes(volume: Volume, start: int, end: int) -> Iterator[bytes]:
    with default_storage.open(volume.file, "rb") as file:
        file.seek(start)
        while start < end and (chunk := file.read(min(CHUNK, end - start))):
            start += len(chunk)
            yield chunk


def _kept(response: HttpResponseBase, tag: str) -> HttpResponseBase:
    response["ETag"], response["Accept-Ranges"] = tag, "bytes"
    response["Cache-Control"] = FOREVER
    patch_vary_headers(response, ["Cookie"])
    return response
