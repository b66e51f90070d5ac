"""STOW-RS: one answer for each instance, and the status that the standard asks for."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from rest_framework.test import APIClient

from accounts.models import Membership, Person, Site
from scans.models import Instance, StorageQuota
from tests.dicom_files import STUDY, ct_image, report

pytestmark = pytest.mark.django_db
ApiOf = Callable[[Person], APIClient]


def stow(
    client: APIClient, *files: bytes, path: str = "/dicomweb/studies", kind: str = "", **headers: str
) -> Any:
    parts = [b"--mark\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n" for data in files]
    kind = kind or 'multipart/related; type="application/dicom"; boundary=mark'
    body = b"".join([*parts, b"--mark--\r\n"])
    return client.generic("POST", path, body, content_type=kind, **headers)


def reasons(answer: Any) -> list[int]:
    return [item["00081197"]["Value"][0] for item in answer.json()["00081198"]["Value"]]


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


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"text", 0xC000),
        (report(SOPClassUID="1.2.840.10008.5.1.4.1.1.9.1.1"), 0x0122),
        (ct_image(2, study="2.25.9"), 0xA900),
        (ct_image(1, hu=0), 0x0111),
        (ct_image(2, PatientID="N-0002"), 0xA900),
    ],
    ids=["no DICOM", "class", "other study", "other bytes", "other patient"],
)
def test_a_failure_has_the_reason_of_the_standard(
    api_of: ApiOf, technician: Person, file: bytes, reason: int
) -> None:
    client = api_of(technician)
    stow(client, ct_image())

    assert reasons(stow(client, file, path=f"/dicomweb/studies/{STUDY}")) == [reason]


def test_a_site_without_room_is_507_before_anything_is_written(
    api_of: ApiOf, technician: Person, site: Site
) -> None:
    StorageQuota.objects.create(site=site, limit_bytes=1000)
    answer = stow(api_of(technician), ct_image())

    assert answer.status_code == 507
    assert "quota" in answer.json()["detail"]
    assert not Path(default_storage.path("instances")).exists()


def test_what_the_quota_has_no_room_for_fails_alone(
    api_of: ApiOf, technician: Person, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    StorageQuota.objects.create(site=site, limit_bytes=len(ct_image()) * 3 // 2)
    monkeypatch.setattr("scans.dicomweb.stow._announced", lambda request: 0)  # as of a body in chunks
    answer = stow(api_of(technician), ct_image(1), ct_image(2))

    assert answer.status_code == 202
    assert reasons(answer) == [0xA700]


@pytest.mark.parametrize("step", ["_write_whole", "os.fsync"])
def test_a_disk_that_fills_up_in_mid_write_is_507_and_leaves_nothing_half(
    api_of: ApiOf, technician: Person, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"scans.durable.{step}", full)
    answer = stow(api_of(technician), ct_image())
    monkeypatch.undo()

    assert answer.status_code == 507
    assert reasons(answer) == [0xA700]
    assert [path for path in Path(default_storage.path("")).rglob("*") if path.is_file()] == []
    assert Instance.objects.count() == 0


def test_a_body_that_is_cut_in_half_leaves_neither_rows_nor_files(api_of: ApiOf, technician: Person) -> None:
    whole = b"--mark\r\nContent-Type: application/dicom\r\n\r\n" + ct_image(1) + b"\r\n"
    body = whole + whole[: len(whole) // 2]
    answer = api_of(technician).generic(
        "POST", "/dicomweb/studies", body, content_type="multipart/related; boundary=mark"
    )

    assert answer.status_code == 400
    assert Instance.objects.count() == 0
    assert [path for path in Path(default_storage.path("")).rglob("*") if path.is_file()] == []


def test_a_part_of_another_type_fails_alone(api_of: ApiOf, technician: Person) -> None:
    body = (
        b"--mark\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n"
        b"--mark\r\ncontent-type: application/dicom; transfer-syntax=*\r\n\r\n" + ct_image() + b"\r\n--mark--"
    )
    kind = "multipart/related; boundary=mark"
    answer = api_of(technician).generic("POST", "/dicomweb/studies", body, content_type=kind)

    assert answer.status_code == 202
    assert "application/dicom" in answer.json()["00081198"]["Value"][0]["00000902"]["Value"][0]


def test_a_packed_body_is_415_with_a_sentence(api_of: ApiOf, technician: Person) -> None:
    answer = stow(api_of(technician), ct_image(), HTTP_CONTENT_ENCODING="gzip")

    assert answer.status_code == 415
    assert "packed" in answer.json()["detail"]


def test_a_request_that_announces_too_much_is_413(
    api_of: ApiOf, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scans.limits.LARGEST_UPLOAD_BYTES", 100)

    assert stow(api_of(technician), ct_image()).status_code == 413


def test_an_instance_that_is_too_large_is_413_when_it_comes_alone(
    api_of: ApiOf, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scans.limits.LARGEST_INSTANCE_BYTES", 100)

    assert stow(api_of(technician), ct_image()).status_code == 413


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/dicom+json", 200),
        ("application/json", 200),
        ("application/dicom+xml", 406),
    ],
)
def test_the_answer_comes_in_json_alone(api_of: ApiOf, technician: Person, accept: str, status: int) -> None:
    assert stow(api_of(technician), ct_image(), HTTP_ACCEPT=accept).status_code == status


def test_the_answer_says_where_the_study_is(api_of: ApiOf, technician: Person) -> None:
    answer = stow(api_of(technician), ct_image(1), ct_image(2)).json()

    assert answer["00081190"]["Value"] == [f"http://testserver/dicomweb/studies/{STUDY}"]
