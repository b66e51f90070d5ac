"""All components on one page, while developing."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render

from accounts.requests import PersonRequest
from core.audit import audit_exempt
from core.pages import page
from reports import presentation


@audit_exempt("it shows no patient")
@page()
def show(request: PersonRequest) -> HttpResponse:
    if not settings.DEBUG:
        raise Http404
    states = [(s, "unread") for s in ("received", "waiting", "reading", "failed", "not_read", "ready")]
    chips = [presentation.status_chip(*state) for state in [*states, ("ready", "draft"), ("ready", "final")]]
    shares = [None, 0.03, 0.27, 0.81]
    signs = [(share, presentation.suspicion(share)) for share in shares]
    return render(request, "reports/gallery.html", {"chips": chips, "signs": signs})
