"""Pages of scans: sending images, and the slices that the study page shows."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render

from accounts.models import Site
from accounts.requests import PersonRequest
from accounts.uploading import MAY_SEND, site_for_images
from core.audit import audited_once_per
from core.pages import UNPROCESSABLE, page
from core.problems import UserError
from scans.dicom.refusal import Refused
from scans.limits import LARGEST_UPLOAD_BYTES
from scans.models import Series, Upload
from scans.slices import Slice, slice_of_instance, slice_of_volume
from scans.uploads import receive_batch

FOREVER = "private, max-age=31536000, immutable"
SHORTCUTS = [(("Tab", "↵"), "choose files or a folder"), (("p",), "pause the sending, or go on")]
RECENT = 5


@audited_once_per(minutes=10)
@page()
def slice_bytes(request: PersonRequest, pk: UUID, index: int) -> HttpResponse:
    """Slice `index` of a series as int16; with the volume's digest in its address it is kept for good."""
    series = get_object_or_404(Series.objects.visible_to(request.user), pk=pk)
    volumes = series.volumes.order_by("-id")
    digest = request.GET.get("volume", "").replace("\0", "")
    volume = volumes.filter(digest__startswith=digest).first() if digest else volumes.first()
    try:
        found = slice_of_volume(volume, index) if volume else slice_of_instance(series, index)
    except Refused as refused:
        return JsonResponse({"code": refused.code, "detail": refused.sentence}, status=UNPROCESSABLE)
    if found is None:
        raise Http404
    return _sent(request, found, forever=volume is not None and bool(digest))


def _sent(request: PersonRequest, found: Slice, *, forever: bool) -> HttpResponse:
    tag = f'"{found.tag}"'
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers={"ETag": tag})
    response = HttpResponse(found.body, content_type="application/octet-stream")
    response["Content-Encoding"] = "deflate"
    response["ETag"] = tag
    response["X-Rows"], response["X-Columns"] = str(found.rows), str(found.columns)
    response["Cache-Control"] = FOREVER if forever else "private, no-cache"
    return response


@page("GET", "HEAD", "POST")
def upload(request: PersonRequest) -> HttpResponse:
    """Send images; the script of the page sends them in batches, without it one form sends all."""
    sites = Site.objects.filter(pk__in=request.user.sites_as(*MAY_SEND))
    context: dict[str, object] = {
        "sites": sites,
        "recent": Upload.objects.visible_to(request.user)
        .filter(person=request.user)
        .order_by("-id")[:RECENT],
        "quiet_seconds": settings.QUIET_SECONDS,
        "largest_gb": LARGEST_UPLOAD_BYTES >> 30,
        "shortcuts": SHORTCUTS,
    }
    if request.method == "POST":
        context |= _received(request)
    status = UNPROCESSABLE if "problem" in context else 200
    return render(request, "scans/upload.html", context, status=status)


def _received(request: PersonRequest) -> dict[str, object]:
    """What became of the files of a plain form."""
    site = site_for_images(request.user, request.POST.get("site", ""))
    files = request.FILES.getlist("files")
    if not files:
        return {"problem": "Choose the files of a study, or a zip with them."}
    try:
        return {"outcome": receive_batch(request.user, site, files, Upload.Road.BROWSER)}
    except UserError as error:
        return {"problem": error.sentence}
