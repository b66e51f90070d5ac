"""Pages of patients: the list, one patient with their timeline, identity, and risk profile."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts.models import Person
from accounts.permissions import require_role
from accounts.requests import PersonRequest
from core.pages import UNPROCESSABLE, page
from core.querysets import STAFF_ROLES
from patients import timeline
from patients.forms import PatientForm, RiskProfileForm
from patients.models import Patient, RiskProfile

PAGE = 50
EDITORS = ("administrator", "technician")


def _patient(person: Person, pk: UUID) -> Patient:
    """A patient, for the staff of their site."""
    patients = Patient.objects.visible_to(person).filter(site__in=person.sites_as(*STAFF_ROLES))
    return get_object_or_404(patients.select_related("site"), pk=pk)


@page()
def index(request: PersonRequest) -> HttpResponse:
    """Patients by search, newest first; a page ends with a cursor."""
    person, text = request.user, request.GET.get("q", "").strip()[:120]
    found = Patient.objects.visible_to(person).filter(site__in=person.sites_as(*STAFF_ROLES))
    found = found.matching(text) if text else found
    after = _cursor(request.GET.get("after", ""))
    found = found.filter(pk__lt=after) if after else found
    rows = list(found.select_related("site").order_by("-pk")[: PAGE + 1])
    context = {
        "patients": rows[:PAGE],
        "next": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "text": text,
        "several_sites": len(person.sites_as(*STAFF_ROLES)) > 1,
    }
    return render(request, "patients/list.html", context)


def _cursor(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@page()
def show(request: PersonRequest, pk: UUID) -> HttpResponse:
    patient = _patient(request.user, pk)
    return _show(request, patient, RiskProfileForm(birth_date=patient.birth_date))


def _show(request: PersonRequest, patient: Patient, form: RiskProfileForm, status: int = 200) -> HttpResponse:
    profiles = RiskProfile.objects.visible_to(request.user).filter(patient=patient)
    context = {
        "patient": patient,
        "profiles": list(profiles.select_related("stated_to")[:20]),
        "form": form,
        "entries": timeline.entries(request.user, patient),
        "may_edit": request.user.has_role(patient.site_id, *EDITORS),
    }
    return render(request, "patients/detail.html", context, status=status)


@page("POST")
def add_profile(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Add a dated risk profile; every member of the staff may take one down."""
    patient = _patient(request.user, pk)
    form = RiskProfileForm(request.POST, birth_date=patient.birth_date)
    if not form.is_valid():
        return _show(request, patient, form, UNPROCESSABLE)
    form.instance.patient, form.instance.site_id = patient, patient.site_id
    form.instance.stated_to = request.user
    form.save()
    messages.success(request, "The risk profile is saved.", extra_tags="ok")
    return redirect("patient", patient.pk)


@page("GET", "HEAD", "POST")
def edit(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Correct name, birth date or sex."""
    patient = _patient(request.user, pk)
    require_role(request.user, patient.site_id, *EDITORS)
    form = PatientForm(request.POST or None, instance=patient)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "The patient is saved.", extra_tags="ok")
        return redirect("patient", patient.pk)
    status = UNPROCESSABLE if request.method == "POST" else 200
    return render(request, "patients/edit.html", {"patient": patient, "form": form}, status=status)
