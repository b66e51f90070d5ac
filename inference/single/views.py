"""Pages of single images: send one, look at the answer, forget it."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from accounts.models import Site
from accounts.requests import PersonRequest
from accounts.uploading import MAY_SEND, site_for_images
from core.audit import audited_once_per
from core.pages import UNPROCESSABLE, page
from core.problems import UserError
from inference.single import actions, files
from inference.single.models import SingleImage
from inference.single.presentation import drawn, shares

SHORTCUTS = [(("Tab", "↵"), "choose an image, then send it")]
RECENT = 8


def _own(request: PersonRequest, pk: UUID) -> SingleImage:
    return get_object_or_404(SingleImage.objects.visible_to(request.user), pk=pk)


@page("GET", "HEAD", "POST")
def send(request: PersonRequest) -> HttpResponse:
    """Choose an image; after sending it the answer's own page opens."""
    problem = ""
    if request.method == "POST":
        try:
            site = site_for_images(request.user, request.POST.get("site", ""))
            image = actions.take(request.user, site, request.FILES.get("file"))
            return redirect("image", pk=image.pk)
        except UserError as error:
            problem = error.sentence
    context = {
        "problem": problem,
        "sites": Site.objects.filter(pk__in=request.user.sites_as(*MAY_SEND)),
        "recent": SingleImage.objects.visible_to(request.user).order_by("-id")[:RECENT],
        "largest_mib": actions.LARGEST_MIB,
        "hours": actions.KEPT.days * 24,
        "shortcuts": SHORTCUTS,
    }
    return render(request, "inference/image_send.html", context, status=UNPROCESSABLE if problem else 200)


@page()
def image(request: PersonRequest, pk: UUID) -> HttpResponse:
    """One image with its answer, or with a poll until there is one."""
    return render(request, "inference/image.html", _context(_own(request, pk), request.GET.get("window", "")))


@audited_once_per(minutes=10)
@page()
def progress(request: PersonRequest, pk: UUID) -> HttpResponse:
    """The part of the page that polls: empty until the answer is there, then the page is opened anew."""
    found = _own(request, pk)
    if found.state == SingleImage.State.WAITING:
        return HttpResponse(status=204)
    response = HttpResponse(status=200)
    response["HX-Redirect"] = reverse("image", args=[found.pk])
    return response


@audited_once_per(minutes=10)
@page()
def picture(request: PersonRequest, pk: UUID, window: str) -> HttpResponse:
    """The image as PNG in one of the windows."""
    found = _own(request, pk)
    content = files.as_png(files.restored(found.stored), _window(window))
    response = HttpResponse(content, content_type="image/png")
    response["Cache-Control"] = "private, max-age=3600"
    return response


@page("POST")
def forget(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Remove the image and its answer at once."""
    actions.forget(_own(request, pk))
    return redirect("image-send")


def _window(name: str) -> str:
    return name if name in files.WINDOWS else files.WINDOWS[0]


def _context(found: SingleImage, window: str) -> dict[str, object]:
    return {
        "image": found,
        "waiting": found.state == SingleImage.State.WAITING,
        "failed": found.state == SingleImage.State.FAILED,
        "answer": found.answer,
        "shares": shares(found),
        "drawn": drawn(found),
        "window": _window(window),
        "windows": files.WINDOWS if found.in_hounsfield else (),
        "mark_px": max(found.rows, found.columns) / 28,
    }
