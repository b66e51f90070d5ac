"""Patients made and changed by people; those that come with images are made by the ingest."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Membership, Person, Site
from accounts.permissions import require_role
from core.problems import Conflict, Forbidden, UserError
from patients.models import Patient, RiskProfile

Role = Membership.Role
MAY_EDIT = (Role.TECHNICIAN, Role.RADIOLOGIST, Role.ADMINISTRATOR)


def site_for_patients(person: Person, code: str = "") -> Site:
    """The site named by its code, or the only one where this person may edit patients."""
    sites = list(Site.objects.filter(pk__in=person.sites_as(*MAY_EDIT)).order_by("code"))
    if not sites:
        raise Forbidden("role_needed", "Your role does not allow editing patients.")
    if not code and len(sites) > 1:
        codes = ", ".join(site.code for site in sites)
        raise UserError("site_needed", f"You work at several sites: name one of them as site ({codes}).")
    named = [site for site in sites if code in ("", site.code, str(site.pk))]
    if not named:
        raise Forbidden("role_needed", "You may not edit patients of this site.")
    return named[0]


def register_patient(person: Person, *, site: str = "", **fields: Any) -> Patient:
    """A new patient; the issuer of the number is the site unless another one is named."""
    owner = site_for_patients(person, site)
    patient = Patient(site=owner, **{"issuer": owner.code, **fields})
    return _saved(patient)


def change_patient(person: Person, patient: Patient, **fields: Any) -> Patient:
    require_role(person, patient.site_id, *MAY_EDIT)
    for name, value in fields.items():
        setattr(patient, name, value)
    return _saved(patient)


def state_risk_profile(person: Person, patient: Patient, **fields: Any) -> RiskProfile:
    """What the patient stated on one day, to whom; earlier statements stay."""
    require_role(person, patient.site_id, *MAY_EDIT)
    return RiskProfile.objects.create(patient=patient, site_id=patient.site_id, stated_to=person, **fields)


def _saved(patient: Patient) -> Patient:
    try:
        with transaction.atomic():
            patient.save()
    except IntegrityError as error:
        raise Conflict(
            "number_taken", "This issuer has already given that number to another patient."
        ) from error
    patient.refresh_from_db()
    return patient
