"""The record of looks and changes: complete, and never unwritten."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import ResolverMatch

from accounts.models import Person, Site
from core.audit import AuditMiddleware, audit_exempt, audited_once_per, covered, record
from core.models import AuditEntry
from patients.models import Patient
from tests.factories import PASSWORD, PatientFactory

pytestmark = pytest.mark.django_db


def answer(
    person: Person, view: Callable[..., HttpResponse], status: int = 200, address: str = "192.0.2.7"
) -> None:
    """Let a person ask for a view through the middleware."""
    request: HttpRequest = RequestFactory(REMOTE_ADDR=address).get("/patients/7/")
    request.user = person
    request.resolver_match = ResolverMatch(view, (), {"pk": "7"}, "patient", route="patients/<pk>/")
    AuditMiddleware(lambda _: HttpResponse(status=status))(request)


def a_new_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def test_every_look_is_recorded_without_the_view_doing_anything(technician: Person) -> None:
    answer(technician, a_new_page)

    entry = AuditEntry.objects.get(action="view")
    assert (entry.person_id, entry.person_name) == (technician.pk, "Technician North")
    assert (entry.target_type, entry.target_id, entry.status) == ("patient", "7", 200)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_look_is_recorded_as_refused(technician: Person, status: int) -> None:
    answer(technician, a_new_page, status)

    assert AuditEntry.objects.filter(action="refused", status=status).exists()


def test_only_a_view_that_says_why_is_left_out(technician: Person) -> None:
    answer(
        technician, audit_exempt("the study page that shows it is recorded")(lambda request: HttpResponse())
    )
    assert not AuditEntry.objects.filter(action="view").exists()
    with pytest.raises(ValueError, match="which other entry"):
        audit_exempt("")


def test_what_a_page_asks_for_again_and_again_is_recorded_once_in_a_while(
    technician: Person, radiologist: Person
) -> None:
    slices = audited_once_per(minutes=10)(lambda request: HttpResponse())
    for person in (technician, technician, radiologist, technician):
        answer(person, slices)

    seen = AuditEntry.objects.filter(action="view").values_list("person_id", flat=True)
    assert sorted(map(str, seen)) == sorted([str(technician.pk), str(radiologist.pk)])


@pytest.mark.parametrize(
    ("stated", "kept"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::7"), ("unknown", None), ("", None)],
)
def test_an_address_that_is_none_is_not_recorded(technician: Person, stated: str, kept: str | None) -> None:
    answer(technician, a_new_page, address=stated)

    assert AuditEntry.objects.get(action="view").address == kept


def test_every_change_of_a_row_of_a_site_is_recorded(site: Site) -> None:
    patient = PatientFactory(site=site)
    patient.sex = "M"
    patient.save(update_fields=["sex"])
    patient.delete()

    entries = AuditEntry.objects.filter(target_type="patients.patient").order_by("id")
    assert [entry.action for entry in entries] == ["create", "change", "delete"]
    assert entries[1].fields == ["sex"]
    assert {entry.site_id for entry in entries} == {site.pk}


def test_one_entry_may_cover_many_changes(site: Site) -> None:
    with covered():
        PatientFactory(site=site)

    assert not AuditEntry.objects.filter(target_type="patients.patient").exists()


def test_the_entry_is_part_of_the_change(site: Site) -> None:
    with transaction.atomic():
        PatientFactory(site=site)
        transaction.set_rollback(True)

    assert Patient.objects.count() == 0
    assert not AuditEntry.objects.filter(target_type="patients.patient").exists()


@pytest.mark.parametrize(
    "statement",
    ["update core_auditentry set person_name = 'nobody'", "delete from core_auditentry"],
    ids=["update", "delete"],
)
def test_an_entry_cannot_be_unwritten_even_in_sql(technician: Person, statement: str) -> None:
    record(AuditEntry.Action.VIEW, person=technician)
    with (
        pytest.raises(DatabaseError, match="append_only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_no_patient_name_or_number_stands_in_an_entry(site: Site) -> None:
    patient = PatientFactory(site=site)
    text = " ".join(str(AuditEntry.objects.values().get(target_id=str(patient.pk))).split())

    assert patient.name not in text
    assert patient.medical_record_number not in text


def test_signing_in_and_out_and_failing_to_is_recorded(technician: Person) -> None:
    client = Client()
    client.post("/accounts/login/", {"login": technician.email, "password": "wrong"})
    client.post("/accounts/login/", {"login": technician.email, "password": PASSWORD})
    client.post("/accounts/logout/")

    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert [a for a in actions if a.startswith("sign")] == ["sign_in_failed", "sign_in", "sign_out"]
    assert not AuditEntry.objects.filter(action="sign_in_failed").exclude(person_name="").exists()
