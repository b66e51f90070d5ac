"""A study is complete: its volume is built and checked, the series is chosen, a reading is asked for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.models import Person, Site
from core.models import OutboxMessage
from core.problems import Forbidden
from scans.ingest.complete import complete_quiet_studies, complete_study, tell_complete
from scans.models import Series, Study, Upload, Volume
from scans.uploads import Batch
from scans.volumes import open_volume
from tests.dicom_files import chest, ct_image

pytestmark = pytest.mark.django_db


def send(site: Site, person: Person, files: list[bytes]) -> Study:
    batch = Batch(site, person, Upload.Road.COMMAND)
    for file in files:
        batch.take(iter([file]))
    batch.finish()
    return Study.objects.get()


def promised() -> list[str]:
    return list(OutboxMessage.objects.order_by("id").values_list("task", flat=True))


def test_a_chest_is_built_checked_and_its_reading_asked_for(site: Site, technician: Person) -> None:
    study = send(site, technician, chest())
    complete_study(study)

    study.refresh_from_db()
    volume = Volume.objects.get()
    assert (study.status, study.reason) == ("waiting", "")
    assert study.read_series == volume.series
    assert "only series" in study.series_choice
    assert volume.shape == [64, 64, 64]
    assert volume.spacing_mm == [3.0, 5.5, 5.5]
    assert promised() == ["inference.tasks.plan_reading"]
    assert open_volume(volume).slice(32)[32, 20] == -850


def test_the_outcome_does_not_depend_on_the_order_of_arrival(site: Site, technician: Person) -> None:
    files = chest()
    study = send(site, technician, files[::-1])
    complete_study(study)
    first = Volume.objects.get().digest
    Study.objects.get().series.get()
    complete_study(study)

    assert Volume.objects.get().digest == first


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SliceThickness": 8.0}, "too thick"),
        ({"Modality": "MR"}, "Not a CT"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "Localizer"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "not axial"),
        ({"PatientBirthDate": "20150101"}, "under 18"),
    ],
)
def test_what_must_not_be_read_is_kept_and_says_why(
    site: Site, technician: Person, changes: dict[str, object], words: str
) -> None:
    study = send(site, technician, chest(**changes))
    complete_study(study)

    study.refresh_from_db()
    assert study.status == "not_read"
    assert words in study.reason
    assert Series.objects.get().instance_count == 64
    assert promised() == []


def test_a_series_that_is_too_thick_still_makes_a_volume_to_look_at(site: Site, technician: Person) -> None:
    complete_study(send(site, technician, chest(SliceThickness=8.0)))

    assert Volume.objects.count() == 1


def test_of_two_series_the_thinner_is_read_and_the_choice_is_said(site: Site, technician: Person) -> None:
    thin = chest(slices=64, series="2.25.5", SliceThickness=1.5, SeriesNumber=7)
    study = send(site, technician, chest() + thin)
    complete_study(study)

    study.refresh_from_db()
    assert study.read_series is not None
    assert study.read_series.series_number == 7
    assert "thinnest" in study.series_choice


def test_a_study_that_grew_meanwhile_is_left_for_the_next_round(site: Site, technician: Person) -> None:
    study = send(site, technician, chest())
    send(site, technician, [ct_image(500, series="2.25.6")])
    complete_study(study)

    assert Study.objects.get().status == "received"
    assert promised() == []


def test_images_after_the_signature_are_stored_not_read_and_told(site: Site, technician: Person) -> None:
    study = send(site, technician, chest())
    Study.objects.update(review="final")
    complete_study(study)

    study.refresh_from_db()
    assert (study.status, study.review) == ("not_read", "final")
    assert "after the report was signed" in study.reason
    assert promised() == []


def test_a_quiet_study_is_handed_out_once(site: Site, technician: Person) -> None:
    study = send(site, technician, [ct_image()])
    assert complete_quiet_studies() == 0

    Study.objects.update(last_instance_at=timezone.now() - timedelta(seconds=11))
    assert [complete_quiet_studies(), complete_quiet_studies()] == [1, 0]
    message = OutboxMessage.objects.get()
    assert (message.task, message.arguments) == ("scans.tasks.complete_study", {"study_id": str(study.pk)})


def test_a_forgotten_study_is_handed_out_again(site: Site, technician: Person) -> None:
    send(site, technician, [ct_image()])
    long_ago = timezone.now() - timedelta(minutes=11)
    Study.objects.update(completed_at=long_ago, last_instance_at=long_ago)

    assert complete_quiet_studies() == 1


def test_who_sends_may_say_that_all_is_sent(site: Site, technician: Person, referrer: Person) -> None:
    study = send(site, technician, [ct_image()])
    with pytest.raises(Forbidden):
        tell_complete(referrer, study)
    tell_complete(technician, study)

    assert promised() == ["scans.tasks.complete_study"]


def test_messages_carry_ids_only(site: Site, technician: Person) -> None:
    """DESIGN promise 7, for the broker."""
    study = send(site, technician, chest())
    tell_complete(technician, study)
    complete_study(Study.objects.get())

    arguments = [
        value for message in OutboxMessage.objects.order_by("id") for value in message.arguments.values()
    ]
    assert all(len(value) == 36 and value.count("-") == 4 for value in arguments)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("lidc-idri-0003", "waiting", ""),
        ("lung-dx-a0002-b40f", "not_read", "Slices of 8.0 mm are too thick for nodule analysis."),
        ("head-ge-tilt", "not_read", "."),
    ],
)
def test_real_series_are_read_or_refused_as_they_should(
    site: Site, technician: Person, shared: Path, name: str, status: str, words: str
) -> None:
    from tests.real_series import files_of

    study = send(site, technician, files_of(shared, name))
    complete_study(study)

    study.refresh_from_db()
    assert study.status == status, study.reason
    assert words in study.reason


def test_a_message_that_comes_twice_does_not_read_a_settled_study_again(
    site: Site, technician: Person
) -> None:
    study = send(site, technician, chest())
    complete_study(study)
    Study.objects.update(status="failed")
    complete_study(Study.objects.get())

    assert Study.objects.get().status == "failed"
    assert promised() == ["inference.tasks.plan_reading"]


def test_a_series_that_breaks_the_checks_does_not_hold_the_study_for_ever(
    site: Site, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("scans.series_volumes.find_lungs", broken)
    study = send(site, technician, chest())
    complete_study(study)

    study.refresh_from_db()
    assert (study.status, study.series.get().checks[-1]["code"]) == ("not_read", "UNEXPECTED")
    assert "administrator" in study.reason
