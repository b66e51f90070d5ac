"""STOW-RS: one answer for each instance, and the status that the standard asks for."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Membership, Person, Site
from scans.models import Instance
from tests.dicom_files import STUDY, ct_image

pytestmark = pytest.mark.django_db
ApiOf = Callable[[Person], APIClient]


def stow(client: APIClient, *files: bytes, path: str = "/dicomweb/studies", kind: str = "") -> Any:
    parts = [b"--mark\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n" for data in files]
    kind = kind or 'multipart/related; type="application/dicom"; boundary=mark'
    return client.generic("POST", path, b"".join([*parts, b"--mark--\r\n"]), content_type=kind)


def test_all_stored_is_200_with_an_item_for_each(api_of: ApiOf, technician: Person) -> None:
    answer = stow(api_of(technician), ct_image(1), ct_image(2))

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/dicom+json"
    items = answer.json()["00081199"]["Value"]
    assert [item["00081155"]["Value"] for item in items] == [["2.25.77002.1"], ["2.25.77002.2"]]
    assert "00081198" not in answer.json()


def test_some_refused_is_202_with_the_reason(api_of: ApiOf, technician: Person) -> None:
    answer = stow(api_of(technician), ct_image(1), b"text")

    assert answer.status_code == 202
    (failed,) = answer.json()["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [0xC000]
    assert "DICOM" in failed["00000902"]["Value"][0]


def test_none_stored_is_409(api_of: ApiOf, technician: Person) -> None:
    answer = stow(api_of(technician), b"text", ct_image(1)[:900])

    assert answer.status_code == 409
    assert len(answer.json()["00081198"]["Value"]) == 2


def test_sent_again_is_200(api_of: ApiOf, technician: Person) -> None:
    client = api_of(technician)
    stow(client, ct_image())

    assert stow(client, ct_image()).status_code == 200
    assert Instance.objects.count() == 1


def test_an_instance_of_another_study_than_the_address_is_refused(api_of: ApiOf, technician: Person) -> None:
    client = api_of(technician)

    assert stow(client, ct_image(), path="/dicomweb/studies/2.25.1").status_code == 409
    assert stow(client, ct_image(), path=f"/dicomweb/studies/{STUDY}").status_code == 200


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/dicom", 415),
        ('multipart/related; type="application/dicom+xml"; boundary=mark', 415),
        ('multipart/related; type="application/dicom"', 400),
    ],
)
def test_another_kind_of_body_is_told_what_to_send(
    api_of: ApiOf, technician: Person, kind: str, status: int
) -> None:
    answer = stow(api_of(technician), ct_image(), kind=kind)

    assert answer.status_code == status
    assert Instance.objects.count() == 0


def test_a_body_without_parts_is_400(api_of: ApiOf, technician: Person) -> None:
    assert stow(api_of(technician)).status_code == 400


def test_a_referrer_may_not_send(api_of: ApiOf, referrer: Person) -> None:
    assert stow(api_of(referrer), ct_image()).status_code == 403


def test_nobody_in_particular_may_not_send(db: None) -> None:
    assert stow(APIClient(), ct_image()).status_code == 401


def test_who_works_at_two_sites_names_one(api_of: ApiOf, technician: Person, other_site: Site) -> None:
    Membership.objects.create(person=technician, site=other_site, role="technician")
    client = api_of(technician)

    assert stow(client, ct_image()).status_code == 400
    assert stow(client, ct_image(), path="/dicomweb/studies?site=south").status_code == 200
    assert Instance.objects.get().site == other_site


def test_a_body_in_chunks_without_a_length_is_read(api_of: ApiOf, technician: Person) -> None:
    """As dicomweb-client sends larger batches."""
    body = b"--mark\r\nContent-Type: application/dicom\r\n\r\n" + ct_image() + b"\r\n--mark--"
    server = {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(body)}
    answer = api_of(technician).generic(
        "POST",
        "/dicomweb/studies",
        content_type="multipart/related; boundary=mark",
        HTTP_TRANSFER_ENCODING="chunked",
        **server,
    )

    assert answer.status_code == 200
