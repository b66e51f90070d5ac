"""The report: drafted, saved, signed, added to, read and printed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from csp.decorators import csp_exempt
from django.contrib import messages
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import slugify

from accounts.requests import PersonRequest
from core.audit import audited_once_per
from core.pages import UNPROCESSABLE, is_htmx, page
from core.problems import UserError
from reports import actions, study_page
from reports.drafting import software_statement
from reports.forms import AddendumForm, ReportForm, SignForm
from reports.models import Report, ReportVersion
from reports.pdf import render_pdf
from reports.views.study import study_of

RELATED = ("study__patient", "study__site", "study__read_series", "signed_by", "final_version", "editing_by")


def _report(request: PersonRequest, pk: UUID) -> Report:
    return get_object_or_404(Report.objects.visible_to(request.user).select_related(*RELATED), pk=pk)


@page("POST")
def open_draft(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Begin the report of a study, or join it."""
    study = study_of(request.user, pk)
    actions.open_draft(request.user, study)
    return _panel(request, study.pk)


@page("POST")
def save(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Save the draft; the script of the page asks for JSON, a plain form gets the page again."""
    report = _report(request, pk)
    form = ReportForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"detail": "A section is too long."}, status=UNPROCESSABLE)
    by_script = "application/json" in request.headers.get("Accept", "")
    try:
        version = actions.save_draft(
            request.user,
            report,
            revision=form.cleaned_data["revision"],
            texts=form.texts(),
            checked="by_itself" not in request.POST,
        )
    except UserError as error:
        if not by_script:
            raise
        return JsonResponse({"code": error.code, "detail": error.sentence}, status=error.status)
    if not by_script:
        return redirect("study", report.study_id)
    saved = timezone.localtime(version.created_at)
    return JsonResponse({"revision": version.revision, "saved_at": f"{saved:%H:%M}"})


@page("POST")
def redraft(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Fresh text from the decisions, for the form; nothing is saved."""
    report = _report(request, pk)
    return JsonResponse(actions.redraft(request.user, report))


@audited_once_per(minutes=10)
@page()
def editing(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Whether another person is at this draft."""
    report = _report(request, pk)
    version = report.versions.order_by("-revision").only("revision").first()
    context = {
        "report": report,
        "other": actions.edited_by_other(report, request.user),
        "newest": version.revision if version else 0,
    }
    return render(request, "reports/editing.html", context)


@page("POST")
def sign(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Sign the newest saved text with one's password."""
    report = _report(request, pk)
    form = SignForm(request.POST)
    if not form.is_valid():
        return _dialog(
            request, "reports/sign_form.html", {"report": report, "problem": "Enter your password."}
        )
    said = form.cleaned_data
    try:
        actions.sign(request.user, report, revision=said["revision"], password=said["password"])
    except UserError as error:
        context = {"report": report, "problem": error.sentence, "revision": said["revision"]}
        return _dialog(request, "reports/sign_form.html", context, error.status)
    messages.success(request, "The report is signed and final.", extra_tags="ok")
    return _reload(request, report)


@page("POST")
def add_addendum(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Add a signed text to a final report."""
    report = _report(request, pk)
    form = AddendumForm(request.POST)
    if not form.is_valid():
        problem = "Write the addendum and enter your password."
        return _dialog(
            request,
            "reports/addendum_form.html",
            {"report": report, "problem": problem, "text": form.data.get("text", "")},
        )
    try:
        actions.add_addendum(request.user, report, **form.cleaned_data)
    except UserError as error:
        context = {"report": report, "problem": error.sentence, "text": form.cleaned_data["text"]}
        return _dialog(request, "reports/addendum_form.html", context, error.status)
    messages.success(request, "The addendum is signed.", extra_tags="ok")
    return _reload(request, report)


def _dialog(
    request: PersonRequest, template: str, context: dict[str, Any], status: int = UNPROCESSABLE
) -> HttpResponse:
    """The form of a dialog again, with what is wrong."""
    return render(request, template, context, status=UNPROCESSABLE if status == 400 else status)


def _reload(request: PersonRequest, report: Report) -> HttpResponse:
    if not is_htmx(request):
        return redirect("study", report.study_id)
    response = HttpResponse(status=204)
    response["HX-Refresh"] = "true"
    return response


def _panel(request: PersonRequest, study_id: UUID) -> HttpResponse:
    if not is_htmx(request):
        return redirect("study", study_id)
    study = study_of(request.user, study_id)
    return render(request, "reports/report_panel.html", study_page.report_part(request.user, study))


@page()
def show(request: PersonRequest, pk: UUID) -> HttpResponse:
    """A report to read and to print."""
    report = _report(request, pk)
    version = report.final_version or report.versions.select_related("person").latest()
    context = {
        "report": report,
        "study": report.study,
        "patient": report.study.patient,
        "version": version,
        "sections": [(name.capitalize(), getattr(version, name)) for name in ReportVersion.SECTIONS],
        "nodules": [one for one in version.nodules if one.get("status") != "rejected"],
        "software": software_statement(version.software) if version.software else [],
        "addenda": report.addenda.select_related("person"),
        "is_staff_here": request.user.has_role(report.site_id, "administrator", "radiologist", "technician"),
    }
    return render(request, "reports/report.html", context)


@audited_once_per(minutes=10)
@page()
def key_image(request: PersonRequest, pk: UUID, number: int) -> HttpResponseBase:
    """The picture of a nodule of this report: whoever may read the report sees it."""
    report = _report(request, pk)
    version = report.final_version or report.versions.latest()
    names = [one.get("key_image") for one in version.nodules if one.get("number") == number]
    if not names or not names[0]:
        raise Http404
    response = FileResponse(default_storage.open(names[0], "rb"), content_type="image/png")
    response["Cache-Control"] = "private, max-age=3600"
    return response


@csp_exempt()  # the viewer that browsers wrap around a PDF brings styles of its own
@page()
def pdf(request: PersonRequest, pk: UUID) -> HttpResponse:
    """The report as PDF; its name says nothing about the patient."""
    report = _report(request, pk)
    response = HttpResponse(render_pdf(report), content_type="application/pdf")
    name = slugify(f"report-{str(report.pk)[-12:]}-{report.get_state_display()}")
    response["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    return response
