"""The study page and what it asks for while it is open."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render

from accounts.models import Person
from accounts.requests import PersonRequest
from core.audit import audited_once_per
from core.pages import page
from core.querysets import STAFF_ROLES
from inference import jobs
from inference.models import Finding, Job, Reading
from reports import study_page
from reports.forms import AddNoduleForm
from reports.outlines import outlines_of, sensitivity_of_reading
from scans.ingest.complete import tell_complete
from scans.models import Series, Study

FOREVER = "private, max-age=31536000, immutable"
SHORTCUTS = [
    (("↑", "↓"), "scroll one slice (wheel, drag the slider)"),
    (("Page ↑", "Page ↓"), "scroll ten slices"),
    (("N", "P"), "next and previous finding"),
    (("Y",), "accept the finding"),
    (("X",), "reject it, with a reason"),
    (("E",), "correct size, type or place"),
    (("A",), "add a finding at the cross (or double click)"),
    (("H",), "hide or show outlines"),
    (("1", "2", "3", "4", "5"), "window: lung, mediastinum, bone, wide lung, brain"),
    (("W",), "drag changes the window (right button does so too)"),
    (("+", "–", "0"), "zoom in, zoom out, whole image"),
    (("]",), "next unread study"),
    (("Ctrl", "↵"), "sign the report"),
    (("Esc",), "back to the worklist"),
]


def study_of(person: Person, pk: UUID) -> Study:
    """A study for staff of its site; anybody else learns nothing of it."""
    studies = Study.objects.visible_to(person).select_related("patient", "site", "read_series")
    return get_object_or_404(studies.filter(site__in=person.sites_as(*STAFF_ROLES)), pk=pk)


@page()
def show(request: PersonRequest, pk: UUID) -> HttpResponse:
    """One study: what the machine said, the images, the decisions, the report."""
    person = request.user
    study = Study.objects.visible_to(person).select_related("report").filter(pk=pk).first()
    if study is not None and not person.has_role(study.site_id, *STAFF_ROLES):
        return redirect("research") if study.deidentified else redirect("report", study.report.pk)
    study = study_of(person, pk)
    findings = study_page.findings_part(person, study)
    nodules = findings["nodules"]
    context = {
        **study_page.machine_part(person, study),
        **findings,
        **study_page.report_part(person, study, nodules=nodules),
        "viewer": study_page.viewer_part(study, nodules, series_asked(request.get_full_path())),
        "add_form": AddNoduleForm(),
        "priors": Study.objects.visible_to(person).others_of_the_patient(study)[:5],
        "shortcuts": SHORTCUTS,
    }
    return render(request, "reports/study.html", context)


def series_asked(address: str) -> UUID | None:
    """The series that the address of a study page asks for."""
    try:
        return UUID(parse_qs(urlsplit(address).query).get("series", [""])[0])
    except ValueError:
        return None


@audited_once_per(minutes=10)
@page()
def status(request: PersonRequest, pk: UUID) -> HttpResponse:
    """How far the machine is; once it is done the page reloads itself and stops asking."""
    study = study_of(request.user, pk)
    context = study_page.machine_part(request.user, study)
    response = render(request, "reports/study_machine.html", context)
    if not context["is_open"]:
        response["HX-Refresh"] = "true"
    return response


@audited_once_per(minutes=10)
@page()
def outlines(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Polygons of the findings of a reading; with the reading in the query they never change.

    `layer=sensitivity` asks for the optional layer that shows sensitivity, not location.
    """
    study = study_of(request.user, pk)
    readings = Reading.objects.visible_to(request.user).filter(study=study)
    asked = request.GET.get("reading")
    try:
        reading = readings.filter(pk=UUID(asked)).first() if asked else readings.order_by("-id").first()
    except ValueError as error:
        raise Http404 from error
    layer = sensitivity_of_reading if request.GET.get("layer") == "sensitivity" else outlines_of
    response = JsonResponse({"findings": layer(reading) if reading else {}})
    if asked and reading:
        response["Cache-Control"] = FOREVER
    return response


@audited_once_per(minutes=10)
@page()
def key_image(request: PersonRequest, pk: UUID) -> HttpResponseBase:
    """The picture of a finding, as rendered when it was read."""
    finding = get_object_or_404(Finding.objects.visible_to(request.user).only("key_image"), pk=pk)
    if not finding.key_image:
        raise Http404
    response = FileResponse(default_storage.open(finding.key_image, "rb"), content_type="image/png")
    response["Cache-Control"] = FOREVER
    return response


@page("POST")
def read_anyway(request: PersonRequest, pk: UUID) -> HttpResponse:
    """A radiologist wants a series read although it was refused."""
    series = get_object_or_404(Series.objects.visible_to(request.user).select_related("study"), pk=pk)
    jobs.read_anyway(request.user, series)
    return redirect("study", series.study_id)


@page("POST")
def cancel_job(request: PersonRequest, pk: UUID) -> HttpResponse:
    job = get_object_or_404(Job.objects.visible_to(request.user), pk=pk)
    jobs.cancel(request.user, job)
    return redirect("study", job.study_id)


@page("POST")
def retry_job(request: PersonRequest, pk: UUID) -> HttpResponse:
    jobs_seen = Job.objects.visible_to(request.user).select_related("study", "volume")
    job = get_object_or_404(jobs_seen, pk=pk)
    jobs.retry(request.user, job)
    return redirect("study", job.study_id)


@page("POST")
def complete(request: PersonRequest, pk: UUID) -> HttpResponse:
    """All images have come: read it now."""
    study = study_of(request.user, pk)
    tell_complete(request.user, study)
    return redirect("study", study.pk)
