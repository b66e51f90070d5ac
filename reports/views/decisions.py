"""What radiologists say about findings; each answer is the list of findings as it stands then."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts.requests import PersonRequest
from core.pages import UNPROCESSABLE, is_htmx, page
from core.problems import UserError
from inference.models import Finding
from reports import actions, study_page
from reports.forms import AddNoduleForm, DecisionForm
from reports.models import Decision
from reports.nodules import nodules_of
from reports.views.study import series_asked, study_of
from scans.models import Study


@page("POST")
def decide(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Accept, reject or correct a finding."""
    finding = get_object_or_404(Finding.objects.visible_to(request.user), pk=pk)
    actions.decide(request.user, finding, **_said(request))
    return _answer(request, finding.study_id)


@page("POST")
def revise(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Correct or withdraw a nodule that a person added."""
    added = get_object_or_404(Decision.objects.visible_to(request.user), pk=pk)
    actions.revise_added(request.user, added, **_said(request))
    return _answer(request, added.study_id)


@page("POST")
def reject_rest(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Reject every finding that is still undecided, for one reason; each gets its own decision."""
    study = study_of(request.user, pk)
    nodules = nodules_of(study)
    with transaction.atomic():
        for nodule in nodules:
            if nodule.is_undecided and nodule.finding is not None:
                actions.decide(
                    request.user,
                    nodule.finding,
                    kind=Decision.Kind.REJECT,
                    reason=request.POST.get("reason", ""),
                )
    return _answer(request, study.pk)


@page("POST")
def add(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Add a nodule that the networks did not mark."""
    study = study_of(request.user, pk)
    form = AddNoduleForm(request.POST)
    if form.is_valid():
        try:
            actions.add_nodule(request.user, study, **form.nodule())
        except UserError as error:
            form.add_error(None, error.sentence)
    if form.errors:
        context = {"add_form": form, "study": study}
        response = render(request, "reports/add_form.html", context, status=UNPROCESSABLE)
        response["HX-Retarget"], response["HX-Reswap"] = "#add-body", "innerHTML"
        return response
    return _answer(request, study.pk)


def _said(request: PersonRequest) -> dict[str, Any]:
    form = DecisionForm(request.POST)
    if not form.is_valid():
        raise UserError("invalid", " ".join(str(text) for texts in form.errors.values() for text in texts))
    return form.cleaned_data


def _answer(request: PersonRequest, study_id: UUID) -> HttpResponse:
    if not is_htmx(request):
        return redirect("study", study_id)
    study: Study = study_of(request.user, study_id)
    findings = study_page.findings_part(request.user, study)
    nodules = findings["nodules"]
    report = study_page.report_part(request.user, study, nodules=nodules)
    viewer = study_page.viewer_part(study, nodules, series_asked(request.headers.get("HX-Current-URL", "")))
    context = {**report, **findings, "places": viewer["findings"] if viewer else []}
    return render(request, "reports/decided.html", context)
