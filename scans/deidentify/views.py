"""Pages of research: studies without identity, each as a zip, and the release of a study."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render

from accounts.requests import PersonRequest
from core.pages import page
from core.querysets import STAFF_ROLES
from scans.deidentify.release import release
from scans.dicom.deidentify.options import Options
from scans.models import Instance, Study
from scans.volumes import open_instance

SHOWN = 200
CHUNK = 1 << 20
OPTIONS = ("keep_dates", "keep_descriptors", "keep_patient", "keep_device")


@page()
def show(request: PersonRequest) -> HttpResponse:
    """The newest copies of the sites of the person."""
    copies = Study.objects.visible_to(request.user).filter(deidentified=True)
    return render(
        request,
        "scans/research.html",
        {"copies": copies.select_related("patient", "site").newest_first()[:SHOWN]},
    )


@page()
def download(request: PersonRequest, pk: UUID) -> HttpResponseBase:
    """A copy as a zip, packed while it is sent: its files are without identity already."""
    copies = Study.objects.visible_to(request.user).filter(deidentified=True)
    copy = get_object_or_404(copies, pk=pk)
    response = StreamingHttpResponse(_packed(copy), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="research-{str(copy.pk)[-12:]}.zip"'
    response["Cache-Control"] = "private, no-store"
    return response


@page("POST")
def release_study(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Release a study; an administrator says what is kept."""
    seen = Study.objects.visible_to(request.user).filter(site__in=request.user.sites_as(*STAFF_ROLES))
    study = get_object_or_404(seen, pk=pk)
    release(request.user, study, Options(**{name: name in request.POST for name in OPTIONS}))
    messages.success(request, "The study is released; its copy is being made.", extra_tags="ok")
    return redirect("research")


class _Outlet:
    """Takes what the zip writes and hands it on; nothing is kept."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _packed(copy: Study) -> Iterator[bytes]:
    outlet = _Outlet()
    rows = Instance.objects.filter(series__study=copy).defer("header").select_related("series")
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as packed:  # type: ignore[call-overload]
        for number, instance in enumerate(rows.order_by("series", "instance_number", "id"), start=1):
            name = f"{instance.series.series_number or 0:04d}/{number:06d}.dcm"
            new = zipfile.ZipInfo(name)
            with packed.open(new, "w", force_zip64=True) as member, open_instance(instance) as file:
                while chunk := file.read(CHUNK):
                    member.write(chunk)
                    yield outlet.taken()
            yield outlet.taken()
    yield outlet.taken()
