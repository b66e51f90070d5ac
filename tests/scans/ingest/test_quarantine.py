"""An administrator decides about an object in quarantine; what was signed stays as it was."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import Person, Site
from core.models import AuditEntry
from core.problems import Conflict, Forbidden
from patients.models import Patient
from scans.ingest.quarantine import compare, decide
from scans.ingest.receive import Receipt
from scans.models import Instance, Quarantined, Study, Upload
from scans.uploads import Batch
from scans.volumes import open_instance
from tests.dicom_files import STUDY, ct_image

pytestmark = pytest.mark.django_db
Decision = Quarantined.Decision


def send(site: Site, person: Person, *files: bytes) -> list[Receipt]:
    batch = Batch(site, person, Upload.Road.COMMAND)
    for file in files:
        batch.take(iter([file]))
    return batch.finish()


OLD, NEW = ct_image(1), ct_image(1, hu=0, SeriesDescription="lung")
OTHER_NAME = ct_image(1, study="2.25.8", series="2.25.81", PatientName="ROE^Richard")
OTHER_PATIENT = ct_image(2, PatientID="N-0002", PatientName="ROE^Richard")


@pytest.fixture
def other_bytes(site: Site, technician: Person) -> Quarantined:
    send(site, technician, OLD, NEW)
    return Quarantined.objects.get()


def sign(study: Study) -> None:
    study.completed_at, study.status, study.review = timezone.now(), "ready", "final"
    study.save()


def content(instance: Instance) -> bytes:
    with open_instance(instance) as file:
        return file.read()


def test_the_difference_is_shown_tag_by_tag(other_bytes: Quarantined) -> None:
    found = compare(other_bytes)

    assert [(one.tag, one.name, one.old, one.new) for one in found.attributes] == [
        ("(0008,103E)", "Series Description", "", "lung")
    ]
    assert found.pixels == "The largest difference of a stored value is 850."


def test_keep_old_leaves_all_as_it_is(
    other_bytes: Quarantined, site: Site, technician: Person, administrator: Person
) -> None:
    decide(administrator, other_bytes.pk, Decision.KEEP_OLD)
    (again,) = send(site, technician, NEW)

    assert content(Instance.objects.get()) == OLD
    assert (again.outcome, again.code) == ("refused", "DECIDED")


def test_take_new_replaces_the_bytes_and_reads_the_study_again(
    other_bytes: Quarantined, site: Site, technician: Person, administrator: Person
) -> None:
    Study.objects.update(status="ready", completed_at=timezone.now())
    decide(administrator, other_bytes.pk, Decision.TAKE_NEW)
    stored = Instance.objects.get()

    assert content(stored) == NEW
    assert stored.series.size_bytes == len(NEW)
    assert Study.objects.get().status == "received"
    assert [r.outcome for r in send(site, technician, NEW, OLD)] == ["duplicate", "refused"]


def test_keep_both_stores_the_newcomer_as_a_study_of_its_own(
    other_bytes: Quarantined, site: Site, technician: Person, administrator: Person
) -> None:
    row = decide(administrator, other_bytes.pk, Decision.KEEP_BOTH)
    copy = Instance.objects.get(sop_instance_uid=row.kept_as)
    (again,) = send(site, technician, NEW)

    assert Instance.objects.count() == Study.objects.count() == 2
    assert copy.series.study.study_instance_uid != STUDY
    assert Patient.objects.count() == 1
    assert (again.outcome, again.instance) == ("duplicate", copy)


@pytest.mark.parametrize("decision", [Decision.KEEP_OLD, Decision.REJECT, Decision.KEEP_BOTH])
def test_what_does_not_change_a_signed_study_is_possible(
    other_bytes: Quarantined, administrator: Person, decision: Quarantined.Decision
) -> None:
    sign(Study.objects.get())
    decide(administrator, other_bytes.pk, decision)

    study = Study.objects.get(study_instance_uid=STUDY)
    assert (study.status, study.review) == ("ready", "final")


def test_what_was_signed_is_not_replaced(other_bytes: Quarantined, administrator: Person) -> None:
    sign(Study.objects.get())
    with pytest.raises(Conflict, match="signed"):
        decide(administrator, other_bytes.pk, Decision.TAKE_NEW)

    assert content(Instance.objects.get()) == OLD
    assert not Quarantined.objects.get().decision


def test_it_is_decided_once_and_by_administrators(
    other_bytes: Quarantined, technician: Person, administrator: Person
) -> None:
    with pytest.raises(Forbidden):
        decide(technician, other_bytes.pk, Decision.REJECT)
    decide(administrator, other_bytes.pk, Decision.REJECT)
    with pytest.raises(Conflict, match="already"):
        decide(administrator, other_bytes.pk, Decision.TAKE_NEW)

    row = Quarantined.objects.get()
    assert (row.decision, row.decided_by) == ("reject", administrator)
    entries = AuditEntry.objects.filter(target_type="scans.quarantined", action="change")
    assert [entry.target_id for entry in entries] == [str(row.pk)]


def test_two_people_with_one_number_are_kept_apart(
    site: Site, technician: Person, administrator: Person
) -> None:
    send(site, technician, ct_image(), OTHER_NAME)
    decide(administrator, Quarantined.objects.get().pk, Decision.KEEP_BOTH)
    (more,) = send(site, technician, ct_image(2, study="2.25.8", series="2.25.81", PatientName="ROE^Richard"))

    assert set(Patient.objects.values_list("issuer", "name")) == {
        ("north", "DOE^Jane"),
        ("north#2", "ROE^Richard"),
    }
    assert more.outcome == "stored"
    assert Study.objects.get(study_instance_uid="2.25.8").patient.name == "ROE^Richard"


def test_a_person_who_changed_the_name_is_one_person(
    site: Site, technician: Person, administrator: Person
) -> None:
    send(site, technician, ct_image(), OTHER_NAME)
    decide(administrator, Quarantined.objects.get().pk, Decision.TAKE_NEW)

    patient = Patient.objects.get()
    assert patient.name == "ROE^Richard"
    assert patient.studies.count() == 2


def test_a_study_moves_to_the_patient_whom_the_newcomer_names(
    site: Site, technician: Person, administrator: Person
) -> None:
    send(site, technician, ct_image(), OTHER_PATIENT)
    decide(administrator, Quarantined.objects.get().pk, Decision.TAKE_NEW)

    assert Study.objects.get().patient.medical_record_number == "N-0002"
    assert Instance.objects.count() == 2


def test_the_page_of_the_console_shows_the_difference_and_takes_the_decision(
    other_bytes: Quarantined, administrator: Person, client_of: object
) -> None:
    administrator.is_staff = True
    administrator.save()
    browser = client_of(administrator)  # type: ignore[operator]
    address = f"/admin/scans/quarantined/{other_bytes.pk}/decide/"
    page = browser.get(address)
    done = browser.post(address, {"decision": "take_new"})

    assert "Series Description" in page.content.decode()
    assert done.status_code == 302
    assert content(Instance.objects.get()) == NEW
