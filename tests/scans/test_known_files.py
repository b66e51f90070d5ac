"""After a break a sender asks what has arrived: by content, at its own site only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Person, Site
from scans.models import Study, Upload
from scans.uploads import Batch
from tests.dicom_files import STUDY, ct_image

pytestmark = pytest.mark.django_db

URL = "/api/v1/uploads/known/"


def sha256(number: int) -> str:
    return hashlib.sha256(ct_image(number)).hexdigest()


@pytest.fixture
def stored(site: Site, technician: Person) -> Study:
    batch = Batch(site, technician, Upload.Road.REST)
    for number in (1, 2):
        batch.take([ct_image(number)])
    batch.finish()
    return Study.objects.get()


def test_what_is_stored_is_named_with_its_study(
    stored: Study, technician: Person, api_of: Callable[[Person], Any], django_assert_max_num_queries: Any
) -> None:
    api = api_of(technician)
    with django_assert_max_num_queries(12):
        answer = api.post(URL, {"sha256": [sha256(1), sha256(2), sha256(3)]}, format="json")

    known = answer.json()["known"]
    assert {row["sha256"] for row in known} == {sha256(1), sha256(2)}
    assert {row["study_instance_uid"] for row in known} == {STUDY}
    assert known[0]["study_url"] == f"/studies/{stored.pk}/"


def test_another_hospital_learns_nothing(
    stored: Study, stranger: Person, api_of: Callable[[Person], Any]
) -> None:
    answer = api_of(stranger).post(URL, {"sha256": [sha256(1)]}, format="json")
    assert answer.json() == {"known": []}
    answer = api_of(stranger).post(URL, {"sha256": [sha256(1)], "site": "north"}, format="json")
    assert answer.status_code == 403


def test_a_referrer_may_not_ask(stored: Study, referrer: Person, api_of: Callable[[Person], Any]) -> None:
    assert api_of(referrer).post(URL, {"sha256": [sha256(1)]}, format="json").status_code == 403


def test_what_is_marked_for_deletion_is_not_said_to_be_stored(
    stored: Study, technician: Person, api_of: Callable[[Person], Any]
) -> None:
    Study.objects.filter(pk=stored.pk).update(hidden_at=timezone.now())
    assert api_of(technician).post(URL, {"sha256": [sha256(1)]}, format="json").json() == {"known": []}


@pytest.mark.parametrize("asked", [["x" * 64], "text", None, [sha256(1)] * 1001])
def test_what_is_no_list_of_hashes_is_refused(
    asked: object, technician: Person, api_of: Callable[[Person], Any]
) -> None:
    answer = api_of(technician).post(URL, {"sha256": asked}, format="json")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:lungportal:problem:invalid")
