"""Researchers see copies that an administrator released, and nothing else (promise 5)."""

from __future__ import annotations

import io
import zipfile

import pytest
from pydicom import dcmread

from accounts.models import Person, Site
from core.models import OutboxMessage
from core.problems import Conflict, Forbidden
from patients.models import Patient
from reports.worklist import Filters, studies_for
from scans.deidentify.release import make_copy, release
from scans.dicom.deidentify.options import Options
from scans.models import Instance, Release, Series, Study, Upload, Volume
from scans.uploads import Batch
from tests.dicom_files import ct_image
from tests.factories import ReadingFactory, ReportFactory, StudyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(site: Site, technician: Person) -> Study:
    batch = Batch(site, technician, Upload.Road.COMMAND)
    for number in (1, 2):
        batch.take([ct_image(number)])
    batch.finish()
    Study.objects.update(completed_at="2026-03-12T11:00Z", status="ready")
    return Study.objects.get()


@pytest.fixture
def copy(study: Study, administrator: Person) -> Study:
    return make_copy(release(administrator, study, Options()))


def test_a_copy_is_a_study_of_its_own_and_is_not_read(copy: Study, study: Study) -> None:
    assert copy.pk != study.pk
    assert (copy.deidentified, copy.status, copy.completed_at is not None) == (True, "not_read", True)
    assert copy.patient.name.startswith("R-")
    assert Instance.objects.filter(series__study=copy).count() == 2


def test_a_copy_is_made_once(copy: Study) -> None:
    assert make_copy(Release.objects.get()) == copy
    assert Study.objects.count() == 2


def test_releasing_promises_the_copy(study: Study, administrator: Person) -> None:
    row = release(administrator, study, Options(keep_dates=True))

    message = OutboxMessage.objects.get(task="scans.tasks.make_research_copy")
    assert message.arguments == {"release_id": str(row.pk)}
    assert row.options["keep_dates"]


def test_only_an_administrator_releases(study: Study, radiologist: Person) -> None:
    with pytest.raises(Forbidden):
        release(radiologist, study, Options())


def test_a_study_is_released_once_and_a_copy_never(copy: Study, study: Study, administrator: Person) -> None:
    with pytest.raises(Conflict, match="released for research before"):
        release(administrator, study, Options())
    with pytest.raises(Conflict, match="copy for research already"):
        release(administrator, copy, Options())


def test_a_researcher_sees_copies_alone(copy: Study, researcher: Person, site: Site) -> None:
    ReportFactory(study=StudyFactory(site=site, ready=True), final=True)

    assert set(Study.objects.visible_to(researcher)) == {copy}
    assert set(Series.objects.visible_to(researcher)) == set(copy.series.all())
    seen = Instance.objects.visible_to(researcher)
    assert {one.series.study_id for one in seen.select_related("series")} == {copy.pk}
    assert not Volume.objects.visible_to(researcher).exists()
    assert not Patient.objects.visible_to(researcher).exists()
    assert not Release.objects.visible_to(researcher).exists()


def test_a_researcher_of_another_site_sees_nothing(copy: Study, other_site: Site) -> None:
    from tests.factories import PersonFactory

    stranger = PersonFactory(role="researcher", site=other_site)

    assert not Study.objects.visible_to(stranger).exists()


def test_a_referrer_does_not_see_copies(copy: Study, referrer: Person) -> None:
    assert not Study.objects.visible_to(referrer).exists()


def test_copies_are_not_on_the_worklist(copy: Study, study: Study, radiologist: Person) -> None:
    assert set(studies_for(radiologist, Filters(tab="unread"))) == {study}


def test_a_researcher_lands_on_the_copies_and_takes_one_home(
    copy: Study, study: Study, researcher: Person, client_of
) -> None:
    browser = client_of(researcher)
    assert browser.get("/").url == "/scans/research/"
    assert browser.get(f"/studies/{copy.pk}/").url == "/scans/research/"
    assert copy.patient.medical_record_number in browser.get("/scans/research/").content.decode()

    packed = b"".join(browser.get(f"/scans/research/{copy.pk}/zip/").streaming_content)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        files = [dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()]
    assert {one.StudyInstanceUID for one in files} == {copy.study_instance_uid}
    assert {one.PatientIdentityRemoved for one in files} == {"YES"}
    assert b"DOE" not in packed


@pytest.mark.parametrize("address", ["/studies/{0}/", "/scans/research/{0}/zip/", "/studies/{0}/results/"])
def test_a_researcher_opens_no_original(address: str, study: Study, researcher: Person, client_of) -> None:
    assert client_of(researcher).get(address.format(study.pk)).status_code == 404


def test_a_researcher_gets_no_reading_in_the_api(site: Site, researcher: Person, api_of) -> None:
    ReadingFactory(study=StudyFactory(site=site, status="ready", with_reading=False))
    for route in ("studies", "series", "findings", "readings", "reports", "decisions", "patients", "jobs"):
        answer = api_of(researcher).get(f"/api/v1/{route}/")
        assert answer.status_code == 200
        assert answer.json()["results"] == [], route


def test_an_administrator_releases_on_the_page(study: Study, administrator: Person, client_of) -> None:
    browser = client_of(administrator)
    assert "Release for research" in browser.get(f"/studies/{study.pk}/results/").content.decode()

    browser.post(f"/scans/studies/{study.pk}/release/", {"keep_patient": "on"})
    assert Release.objects.get().options["keep_patient"]
