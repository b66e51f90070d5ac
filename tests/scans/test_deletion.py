"""A study is deleted in two steps, hidden at once, brought back within days, and then gone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from accounts.models import Person, Site
from core.models import AuditEntry
from core.problems import Conflict, Forbidden, UserError
from inference.models import Finding, Reading
from reports.models import Decision, Report
from scans.deletion import confirmation_of, delete_due, mark_for_deletion, undo_deletion
from scans.models import Deletion, Instance, Study, Upload
from scans.storage import content_name
from scans.uploads import Batch
from tests.dicom_files import ct_image

pytestmark = pytest.mark.django_db


def send(site: Site, person: Person, *files: bytes) -> list[str]:
    batch = Batch(site, person, Upload.Road.COMMAND)
    for file in files:
        batch.take(iter([file]))
    return [receipt.code for receipt in batch.finish()]


@pytest.fixture
def study(site: Site, technician: Person) -> Study:
    send(site, technician, ct_image(1), ct_image(2))
    return Study.objects.get()


def mark(person: Person, study: Study) -> Deletion:
    return mark_for_deletion(person, study.pk, confirmation_of(study), "a test of the scanner")


def let_time_pass() -> None:
    """The grace period, and the day in which a sender might still be about to name the bytes."""
    Deletion.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    for path in files():
        os.utime(path, (time.time() - 90_000,) * 2)


def files() -> list[Path]:
    return [path for path in Path(default_storage.path("")).rglob("*") if path.is_file()]


def test_a_marked_study_is_hidden_from_everybody_at_once(
    study: Study, site: Site, technician: Person, administrator: Person
) -> None:
    mark(administrator, study)

    assert not Study.objects.visible_to(technician).exists()
    assert not Instance.objects.visible_to(administrator).exists()
    assert send(site, technician, ct_image(1), ct_image(3)) == ["TO_BE_DELETED"] * 2


def test_it_is_brought_back_within_the_grace_period(
    study: Study, site: Site, technician: Person, administrator: Person
) -> None:
    deletion = mark(administrator, study)
    undo_deletion(administrator, deletion.pk)
    let_time_pass()

    assert delete_due() == 0
    assert Study.objects.visible_to(technician).count() == 1
    assert send(site, technician, ct_image(3)) == [""]


def test_after_the_grace_period_rows_and_bytes_are_gone(study: Study, administrator: Person) -> None:
    deletion = mark(administrator, study)
    assert delete_due() == 0
    let_time_pass()

    assert delete_due() == 1
    assert not Study.objects.exists()
    assert files() == []
    deletion.refresh_from_db()
    assert (deletion.state, deletion.instances) == ("deleted", 2)
    assert AuditEntry.objects.filter(target_type="scans.study", action="delete").exists()


def test_bytes_that_another_site_holds_stay(
    study: Study, other_site: Site, technician: Person, administrator: Person
) -> None:
    send(other_site, technician, ct_image(1))
    mark(administrator, study)
    let_time_pass()
    delete_due()

    (left,) = Instance.objects.all()
    assert [path.name for path in files()] == [left.sha256]


def test_what_was_read_and_decided_goes_with_the_study(administrator: Person, site: Site) -> None:
    from tests.factories import StudyFactory

    study = StudyFactory(site=site, ready=True)
    assert Reading.objects.filter(study=study).exists()
    mark(administrator, study)
    let_time_pass()
    delete_due()

    assert not Study.objects.exists()
    assert not Reading.objects.exists()
    assert not Finding.objects.exists()
    assert not Decision.objects.exists()
    assert not Report.objects.exists()


def test_a_signed_study_is_kept(study: Study, administrator: Person) -> None:
    Study.objects.update(review="final")

    with pytest.raises(Conflict, match="signed"):
        mark(administrator, study)


@pytest.mark.parametrize(("typed", "reason"), [("wrong", "a test"), ("right", " ")])
def test_a_slip_deletes_nothing(study: Study, administrator: Person, typed: str, reason: str) -> None:
    with pytest.raises(UserError):
        mark_for_deletion(
            administrator, study.pk, confirmation_of(study) if typed == "right" else typed, reason
        )

    assert not Deletion.objects.exists()


def test_only_administrators_delete(study: Study, radiologist: Person) -> None:
    with pytest.raises(Forbidden):
        mark(radiologist, study)


def test_the_console_asks_twice(
    study: Study, administrator: Person, client_of: Callable[[Person], Client]
) -> None:
    administrator.is_staff = True
    administrator.save()
    browser = client_of(administrator)
    address = f"/admin/scans/study/{study.pk}/delete-study/"

    assert confirmation_of(study) in browser.get(address).content.decode()
    assert browser.post(address, {"confirmation": "no", "reason": "test"}).status_code == 422
    assert not Deletion.objects.exists()
    assert (
        browser.post(address, {"confirmation": confirmation_of(study), "reason": "test"}).status_code == 302
    )
    assert Deletion.objects.get().asked_by == administrator


def test_bytes_that_came_again_a_moment_ago_are_not_swept(
    study: Study, site: Site, technician: Person
) -> None:
    from scans.sweeping import drop_unreferenced

    names = [
        content_name("instances", sha256) for sha256 in Instance.objects.values_list("sha256", flat=True)
    ]
    let_time_pass()
    send(site, technician, ct_image(1))
    study.delete()

    assert drop_unreferenced(names) == 1
    assert len(files()) == 1
