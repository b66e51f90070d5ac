"""Reports and segmentations beside the images: kept, and no cause to read a study again."""

from __future__ import annotations

import io

import pytest
from django.utils import timezone

from accounts.models import Person, Site
from scans.ingest.arrivals import Arrival, Refusal, arrive
from scans.ingest.complete import complete_study
from scans.ingest.receive import Receipt, file_own
from scans.models import Instance, Series, Study, Upload
from scans.storage import spool
from scans.uploads import Batch
from tests.dicom_files import chest, ct_image, report

pytestmark = pytest.mark.django_db


def send(site: Site, person: Person, *files: bytes) -> list[Receipt]:
    batch = Batch(site, person, Upload.Road.COMMAND)
    for file in files:
        batch.take(iter([file]))
    return batch.finish()


def signed(study: Study) -> Study:
    study.completed_at, study.status, study.review = timezone.now(), "ready", "final"
    study.save()
    return study


def arrived(file: bytes) -> Arrival | Refusal:
    with spool(iter([file])) as spooled:
        return arrive(spooled)


def test_a_report_is_stored_and_counts_in_its_series(site: Site, technician: Person) -> None:
    receipts = send(site, technician, ct_image(), report())

    assert [receipt.outcome for receipt in receipts] == ["stored", "stored"]
    assert Series.objects.get(modality="SR").instance_count == 1


def test_a_report_does_not_open_a_signed_study_again(site: Site, technician: Person) -> None:
    send(site, technician, ct_image())
    study = signed(Study.objects.get())
    send(site, technician, report())

    study.refresh_from_db()
    assert (study.status, study.review) == ("ready", "final")
    assert study.completed_at is not None
    assert Series.objects.count() == 2


def test_a_report_prolongs_the_quiet_time_of_a_study_that_still_arrives(
    site: Site, technician: Person
) -> None:
    send(site, technician, ct_image())
    before = Study.objects.get().last_instance_at
    send(site, technician, report())

    assert Study.objects.get().last_instance_at > before


def test_our_own_objects_leave_the_study_as_it_is(site: Site, technician: Person) -> None:
    send(site, technician, ct_image())
    study = signed(Study.objects.get())
    (receipt,) = file_own(site, [arrived(ct_image(2, series="2.25.5"))])

    study.refresh_from_db()
    assert receipt.outcome == "stored"
    assert (study.status, study.review) == ("ready", "final")
    assert Instance.objects.count() == 2


def test_a_series_of_reports_is_not_looked_at_when_a_series_is_chosen(site: Site, technician: Person) -> None:
    send(site, technician, *chest(), report())
    study = Study.objects.get()
    complete_study(study)

    study.refresh_from_db()
    assert study.status == "waiting"
    assert study.series_choice.endswith("it is the only series of the study.")


def test_a_study_of_reports_alone_is_not_read(site: Site, technician: Person) -> None:
    send(site, technician, report())
    study = Study.objects.get()
    complete_study(study)

    study.refresh_from_db()
    assert study.status == "not_read"
    assert study.reason


def test_an_object_of_no_kind_that_an_archive_keeps_is_refused(site: Site, technician: Person) -> None:
    (receipt,) = send(site, technician, report(SOPClassUID="1.2.840.10008.5.1.4.1.1.9.1.1"))

    assert (receipt.outcome, receipt.code) == ("refused", "SOP_CLASS")


def test_an_image_cut_short_before_its_pixels_is_no_document(site: Site, technician: Person) -> None:
    whole = ct_image()
    cut = io.BytesIO(whole[: whole.rindex(b"\xe0\x7f\x10\x00")]).getvalue()
    (receipt,) = send(site, technician, cut)

    assert (receipt.outcome, receipt.code) == ("refused", "NO_PIXELS")
