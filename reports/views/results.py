"""The results of a study as DICOM: which there are, where they were sent, and each as a file."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify

from accounts.requests import PersonRequest
from core.pages import page
from core.querysets import STAFF_ROLES
from reports.results import MAY_MAKE, ask_for_results, our_results, results_of
from reports.views.study import study_of
from scans.deidentify.release import MAY_RELEASE
from scans.models import Delivery, Instance, Release
from scans.volumes import open_instance

DICOM = "application/dicom"


@page("GET", "HEAD", "POST")
def show(request: PersonRequest, pk: UUID) -> HttpResponse:
    """The objects that there are; a POST asks for those of the study as it stands now."""
    study = study_of(request.user, pk)
    if request.method == "POST":
        ask_for_results(request.user, study)
        messages.success(request, "The results are being made; reload in a moment.", extra_tags="ok")
        return redirect("study-results", study.pk)
    context = {
        "study": study,
        "results": results_of(study),
        "deliveries": Delivery.objects.visible_to(request.user)
        .filter(study=study)
        .select_related("peer", "instance__series")
        .order_by("-id"),
        "may_release": request.user.has_role(study.site_id, *MAY_RELEASE) and not study.deidentified,
        "release": Release.objects.visible_to(request.user).filter(study=study).first(),
        "may_make": request.user.has_role(study.site_id, *MAY_MAKE),
    }
    return render(request, "reports/results.html", context)


@page()
def download(request: PersonRequest, pk: UUID) -> HttpResponseBase:
    """One object as a file; its name says nothing about the patient."""
    staff_sites = request.user.sites_as(*STAFF_ROLES)
    seen = our_results(Instance.objects.visible_to(request.user).filter(site__in=staff_sites))
    instance = get_object_or_404(seen, pk=pk)
    name = f"{slugify(instance.series.description)}-{str(instance.pk)[-12:]}.dcm"
    response = FileResponse(open_instance(instance), content_type=DICOM, as_attachment=True, filename=name)
    response["Cache-Control"] = "private, no-cache"
    return response
