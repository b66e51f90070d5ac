"""The worklist, its live rows, and the key image beside it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.requests import PersonRequest
from core.audit import audited_once_per
from core.pages import page
from core.querysets import RESEARCHER, STAFF_ROLES
from inference.models import Finding
from reports import presentation, worklist
from reports.forms import WorklistForm
from reports.models import Report
from reports.nodules import newest_reading
from reports.views.study import study_of
from scans.models import Study

SHORTCUTS = [
    (("↑", "↓"), "move in the list"),
    (("Enter",), "open the study"),
    (("N",), "next unread"),
    (("[", "]"), "previous and next page"),
]


@page()
def show(request: PersonRequest) -> HttpResponseBase:
    """The start page: studies for staff, final reports for referrers."""
    person = request.user
    if person.sites_as(RESEARCHER) and not person.sites_as(*STAFF_ROLES, "referrer"):
        return redirect("research")
    if person.is_only_referrer or not person.roles:
        return reports(request)
    form = WorklistForm(person, request.GET)
    filters = form.filters()
    tab = worklist.TABS[filters.tab]
    cursors = form.cleaned_data
    try:
        found = worklist.page_of(
            worklist.studies_for(person, filters), tab, cursors.get("after", ""), cursors.get("before", "")
        )
    except ValueError:
        return redirect("worklist")
    context = worklist.context_of(person, filters, found)
    narrowed = bool(filters.text or filters.site or filters.status or filters.since or filters.until)
    more = {"form": form, "filters": filters, "narrowed": narrowed, "shortcuts": SHORTCUTS}
    return render(request, "reports/worklist.html", {**context, **more})


@page()
def reports(request: PersonRequest) -> HttpResponse:
    """Final reports, newest first: all that a referrer sees."""
    found = Report.objects.visible_to(request.user).filter(state=Report.State.FINAL)
    text = request.GET.get("q", "").strip()[:120]
    if text:
        found = found.filter(study__in=Study.objects.visible_to(request.user).matching(text))
    before = _uuid(request.GET.get("after", ""))
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(
        found.select_related("study__patient", "signed_by", "site").order_by("-pk")[: worklist.PAGE + 1]
    )
    more = len(rows) > worklist.PAGE
    rows = rows[: worklist.PAGE]
    context = {"reports": rows, "next": rows[-1].pk if more else None, "text": text}
    return render(request, "reports/referrer.html", context)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@audited_once_per(minutes=10)
@page()
def live(request: PersonRequest) -> HttpResponse:
    """The rows that were not settled, as they are now; asked again only while one of them is open."""
    ids = [key for key in map(_uuid, request.GET.get("ids", "").split(",")) if key][: worklist.PAGE]
    studies = worklist.studies_for(request.user, worklist.Filters(tab="all")).filter(pk__in=ids)
    rows = worklist.rows_of(studies.select_related("patient", "site", "read_series"))
    context = {
        "rows": rows,
        "open_ids": worklist.open_ids(rows),
        "counts": worklist.counts_for(request.user, fresh=any(not row.is_open for row in rows)),
        "several_sites": worklist.works_at_several(request.user),
    }
    return render(request, "reports/worklist_live.html", context)


@audited_once_per(minutes=10)
@page()
def panel(request: PersonRequest, pk: UUID) -> HttpResponse:
    """The key image and the main figures of one row."""
    study = study_of(request.user, pk)
    reading = newest_reading(study)
    findings: Iterable[Finding] = (
        reading.findings.defer("mask_bits").order_by("-malignancy", "number")[:4] if reading else []
    )
    checks = presentation.checks_of(study.read_series.checks if study.read_series else [])
    context = {
        "row": worklist.rows_of([study])[0],
        "study": study,
        "reading": reading,
        "findings": list(findings),
        "checks": presentation.checks_chip(checks) if checks else None,
    }
    return render(request, "reports/worklist_panel.html", context)


@page()
def next_unread(request: PersonRequest, pk: UUID) -> HttpResponse:
    """On to the most suspicious unread study that comes after this one; to the worklist behind the last."""
    study = study_of(request.user, pk)
    unread = worklist.studies_for(request.user, worklist.Filters())
    tab = worklist.TABS["unread"]
    behind = worklist.page_of(unread.exclude(pk=pk), tab, after=f"{study.priority!r}_{study.pk}").studies
    first = behind or worklist.page_of(unread.exclude(pk=pk), tab).studies
    return redirect(reverse("study", args=[first[0].pk]) if first else reverse("worklist"))
