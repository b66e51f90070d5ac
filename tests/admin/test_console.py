"""The admin console: every table, one's own sites only, nothing of machine or signature to be changed."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.admin.sites import site as console
from django.urls import reverse
from django.utils import timezone
from knox.models import AuthToken

from accounts.models import Membership, Person
from accounts.tokens import create_token
from core.models import AuditEntry, OutboxMessage
from core.outbox import promise
from inference.models import Finding, Job, Network, Pipeline, Reading
from inference.single.models import SingleImage
from patients.models import Patient
from reports.models import Addendum, Decision, Report, ReportVersion, WantedResults
from reports.wanted import want
from scans.models import (
    Deletion,
    Delivery,
    Instance,
    Peer,
    Quarantined,
    Release,
    ResearchSalt,
    Series,
    SeriesDocument,
    StorageQuota,
    Study,
    UnknownCaller,
    UploadedFile,
    Volume,
)
from tests.factories import (
    PASSWORD,
    AddendumFactory,
    DecisionFactory,
    InstanceFactory,
    JobFactory,
    MembershipFactory,
    NetworkFactory,
    PersonFactory,
    QuarantinedFactory,
    ReportFactory,
    RiskProfileFactory,
    StudyFactory,
    UploadFactory,
    VolumeFactory,
)

pytestmark = pytest.mark.django_db

ROOMS = ("accounts", "patients", "scans", "inference", "reports", "core")
INTERNAL = {
    SeriesDocument: "derived from the instances, built again at will",
    ResearchSalt: "a secret: who reads it undoes the pseudonyms",
}
WHOLE_INSTALLATION = (Network, OutboxMessage, Pipeline, UnknownCaller)
MODELS = [
    model for room in ROOMS for model in apps.get_app_config(room).get_models() if model not in INTERNAL
]
READ_ONLY = [
    AuditEntry,
    Addendum,
    Decision,
    Deletion,
    Delivery,
    Finding,
    Instance,
    Job,
    Network,
    Pipeline,
    Reading,
    Release,
    Report,
    ReportVersion,
    Series,
    SingleImage,
    Study,
    Volume,
    WantedResults,
]


def label(model):
    return model._meta.label


def url(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def fill(site):
    """A row of every table at a site."""
    study = StudyFactory(site=site, ready=True)
    series = study.read_series
    RiskProfileFactory(patient=study.patient)
    instance = InstanceFactory(series=series)
    QuarantinedFactory(study=study)
    now = timezone.now()
    peer = Peer.objects.create(site=site, name="PACS", ae_title="PACS")
    Delivery.objects.create(site=site, study=study, peer=peer, instance=instance, next_attempt_at=now)
    UnknownCaller.objects.create(ae_title="CT7", address="10.0.0.7", last_seen_at=now)
    upload = UploadFactory(site=site, person=PersonFactory(role="technician", site=site))
    UploadedFile.objects.create(upload=upload, position=0, outcome="stored", instance=instance)
    NetworkFactory()
    JobFactory(volume=VolumeFactory(series=series))
    DecisionFactory(finding=study.findings.first())
    want(study)
    AddendumFactory(report=ReportFactory(study=study, final=True))
    create_token(upload.person, site)
    StorageQuota.objects.create(site=site, limit_bytes=10**12)
    asked = {"asked_by": upload.person, "reason": "Sent twice", "due_at": now}
    Deletion.objects.create(site=site, study_instance_uid="1.2.3", **asked)
    Release.objects.create(site=site, study=study, person=upload.person)
    SingleImage.objects.create(site=site, person=upload.person, rows=512, columns=512, stored="single/a")
    promise("core.tasks.flush_outbox")
    return study


@pytest.fixture
def browser(administrator, client_of):
    administrator.is_staff = True
    administrator.save()
    return client_of(administrator)


def test_every_table_has_a_list_a_search_and_a_page(browser, site, subtests):
    fill(site)
    for model in (*MODELS, AuthToken):
        with subtests.test(label(model)):
            assert model in console._registry
            owner = console._registry[model]
            assert len(owner.list_display) > 1
            assert browser.get(url(model, "changelist")).status_code == 200
            assert browser.get(url(model, "changelist"), {"q": "1.2.3"}).status_code == 200
            row = owner.get_queryset(_request(browser)).first()
            assert row is not None
            assert browser.get(url(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", INTERNAL, ids=label)
def test_internal_tables_have_no_page(model):
    assert model not in console._registry


def _request(browser):
    from django.test import RequestFactory

    request = RequestFactory().get("/admin/")
    request.user = Person.objects.get(pk=browser.session["_auth_user_id"])
    return request


def test_what_machine_or_signature_made_cannot_be_changed(browser, site, subtests):
    fill(site)
    for model in READ_ONLY:
        with subtests.test(label(model)):
            row = console._registry[model].get_queryset(_request(browser)).first()
            for page, args in (("add", ()), ("change", (row.pk,)), ("delete", (row.pk,))):
                assert browser.post(url(model, page, *args), {}).status_code == 403
            form = browser.get(url(model, "change", row.pk)).content.decode()
            assert 'name="_save"' not in form


def test_rows_of_another_site_are_not_there(browser, other_site, subtests):
    fill(other_site)
    for model in MODELS:
        if model in WHOLE_INSTALLATION:
            continue
        with subtests.test(label(model)):
            theirs = console._registry[model].get_queryset(_request(browser))
            rows = model._base_manager.exclude(pk__in=theirs.values("pk"))
            assert rows.exists()
            for row in rows[:3]:  # "does not exist", back to the index
                assert browser.get(url(model, "change", row.pk)).status_code == 302


@pytest.mark.parametrize("role", ["radiologist", "technician", "referrer"])
def test_other_roles_find_nothing_in_the_console(role, request, client_of, site):
    person = request.getfixturevalue(role)
    person.is_staff = True
    person.save()
    browser = client_of(person)
    assert all(browser.get(url(model, "changelist")).status_code == 403 for model in MODELS)


def test_without_staff_rights_the_console_stays_closed(administrator, client_of, client):
    assert client_of(administrator).get("/admin/", follow=True).status_code == 403
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/accounts/login/")


def new_person(site, **more):
    return {
        "email": "New.Person@Example.test",
        "name": "New Person",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 0,
        "memberships-0-site": str(site.pk),
        "memberships-0-role": "technician",
        **more,
    }


def test_an_administrator_takes_on_a_person(browser, site):
    answer = browser.post(url(Person, "add"), new_person(site))
    assert answer.status_code == 302, answer.context["errors"]
    person = Person.objects.get(email="new.person@example.test")
    assert person.check_password(PASSWORD)
    assert person.roles == {site.pk: {"technician"}}
    assert not (person.is_staff)
    assert not (person.is_superuser)


def test_nobody_is_made_without_a_role_or_for_a_foreign_site(browser, site, other_site):
    assert (
        browser.post(url(Person, "add"), new_person(site, **{"memberships-TOTAL_FORMS": 0})).status_code
        == 200
    )
    assert browser.post(url(Person, "add"), new_person(other_site)).status_code == 200
    assert not Person.objects.filter(email="new.person@example.test").exists()


def test_nobody_becomes_superuser_through_the_console(browser, technician):
    body = {
        "email": technician.email,
        "name": "Renamed",
        "is_active": "on",
        "is_superuser": "on",
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    assert browser.post(url(Person, "change", technician.pk), body).status_code == 302
    technician.refresh_from_db()
    assert (technician.name, technician.is_superuser) == ("Renamed", False)


def test_people_who_also_work_elsewhere_are_shown_and_not_edited(browser, technician, other_site):
    MembershipFactory(person=technician, site=other_site)
    assert browser.get(url(Person, "change", technician.pk)).status_code == 200
    assert browser.post(url(Person, "change", technician.pk), {"name": "Mine"}).status_code == 403
    assert browser.get(reverse("admin:auth_user_password_change", args=[technician.pk])).status_code == 403


def test_a_role_at_a_foreign_site_cannot_be_given(browser, technician, other_site):
    body = {"person": str(technician.pk), "site": str(other_site.pk), "role": "administrator"}
    assert browser.post(url(Membership, "add"), body).status_code == 200
    assert not Membership.objects.filter(site=other_site).exists()


def test_a_token_can_be_revoked_and_not_made(browser, technician):
    create_token(technician)
    token = AuthToken.objects.get()
    assert browser.post(url(AuthToken, "add"), {"user": str(technician.pk)}).status_code == 403
    browser.post(
        url(AuthToken, "changelist"),
        {"action": "delete_selected", "_selected_action": [token.pk], "post": "yes"},
    )
    assert not AuthToken.objects.exists()


def test_a_name_can_be_put_right_and_the_number_stays(browser, site):
    patient = fill(site).patient
    number = patient.medical_record_number
    body = {
        "name": "RIGHT^NAME",
        "sex": "M",
        "medical_record_number": "OTHER",
        "risk_profiles-TOTAL_FORMS": 0,
        "risk_profiles-INITIAL_FORMS": 0,
    }
    assert browser.post(url(Patient, "change", patient.pk), body).status_code == 302
    patient.refresh_from_db()
    assert (patient.name, patient.medical_record_number) == ("RIGHT^NAME", number)
    assert AuditEntry.objects.filter(action="change", target_id=str(patient.pk)).exists()


@pytest.mark.parametrize("action", ["keep_old", "reject"])
def test_quarantined_objects_are_decided_and_the_decision_stays(action, browser, administrator, site):
    fill(site)
    row = Quarantined.objects.get()
    for chosen in (action, "keep_both"):
        browser.post(url(Quarantined, "changelist"), {"action": chosen, "_selected_action": [row.pk]})
        row.refresh_from_db()
        assert (row.decision, row.decided_by) == (action, administrator)
    assert row.resolved_at is not None
    assert AuditEntry.objects.filter(action="change", target_id=str(row.pk)).count() == 1


def test_an_administrator_sets_the_quota_of_an_own_site_only(browser, site, other_site):
    for place in (site, other_site):
        browser.post(url(StorageQuota, "add"), {"site": str(place.pk), "limit_bytes": "5000000000"})
    quota = StorageQuota.objects.get()
    assert (quota.site, quota.limit_bytes) == (site, 5_000_000_000)
    body = {"site": str(site.pk), "limit_bytes": "7000000000"}
    assert browser.post(url(StorageQuota, "change", quota.pk), body).status_code == 302
    quota.refresh_from_db()
    assert quota.limit_bytes == 7_000_000_000
    assert "7.0 GB" in browser.get(url(StorageQuota, "changelist")).content.decode()


def test_jobs_are_cancelled_by_the_same_service_as_on_the_pages(browser, site):
    fill(site)
    waiting, done = Job.objects.get(state="queued"), Job.objects.get(state="done")
    body = {"action": "cancel", "_selected_action": [waiting.pk, done.pk]}
    page = browser.post(url(Job, "changelist"), body, follow=True).content.decode()
    waiting.refresh_from_db()
    assert waiting.state == "cancelled"
    assert "has already ended" in page


def test_only_the_console_gets_the_looser_policy(browser, client):
    assert "unsafe-eval" in browser.get("/admin/")["Content-Security-Policy"]
    for path in ("/accounts/login/", "/api/docs/", "/healthz"):
        policy = client.get(path)["Content-Security-Policy"]
        assert "unsafe-eval" not in policy
        assert (
            "unsafe-inline" not in policy.replace("style-src 'self' 'unsafe-inline'", "")
            or path == "/api/docs/"
        )
