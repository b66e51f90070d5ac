"""The listener as its callers see it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from django.core.files.storage import default_storage
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    SegmentationStorage,
)
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from accounts.models import Site
from core.models import AuditEntry
from scans.dimse import callers
from scans.dimse.callers import MOST_UNKNOWN, peer_calling
from scans.dimse.listener import Listener
from scans.models import Instance, Peer, Quarantined, Study, UnknownCaller, Upload
from scans.storage import content_name
from tests.dicom_files import ct_image
from tests.scans.dimse.conftest import SCANNER, call, converse, dcmtk, files_in, send

pytestmark = pytest.mark.django_db


def test_dcmtk_is_answered_and_its_images_are_stored(
    listener: Listener, scanner: Peer, tmp_path: Path
) -> None:
    where = ("-aet", SCANNER, "-aec", "LUNGPORTAL", "127.0.0.1", listener.port)
    files = files_in(tmp_path / "images", [ct_image(n) for n in range(1, 4)])

    assert dcmtk("echoscu", *where).returncode == 0
    sent = dcmtk("storescu", *where, *files)
    again = dcmtk("dcmsend", *where, *files)

    assert (sent.returncode, again.returncode) == (0, 0), sent.stderr + again.stderr
    assert Instance.objects.count() == 3
    assert set(Study.objects.values_list("site", flat=True)) == {scanner.site_id}


def test_an_image_is_kept_as_it_came_before_it_is_acknowledged(listener: Listener, scanner: Peer) -> None:
    association = call(listener)

    status = send(association, ct_image())

    (instance,) = Instance.objects.all()
    with default_storage.open(content_name("instances", instance.sha256)) as file:
        assert pydicom.dcmread(file) == pydicom.dcmread(io.BytesIO(ct_image()))
    assert (status.Status, instance.size) == (0x0000, default_storage.size(file.name))
    association.release()


def test_the_record_of_uploads_says_what_a_peer_sent(listener: Listener, scanner: Peer) -> None:
    association = call(listener)
    for content in (ct_image(1), ct_image(1), ct_image(2, PatientName="ROE^Other")):
        send(association, content)
    association.release()
    listener.stop()

    (upload,) = Upload.objects.all()
    assert (upload.peer, upload.person, upload.road) == (scanner, None, "dimse")
    assert (upload.stored, upload.duplicates, upload.refused) == (1, 1, 1)
    assert [file.outcome for file in upload.files.all()] == ["stored", "duplicate", "quarantined"]


def test_the_same_object_from_two_senders_is_one_instance(listener: Listener, site: Site) -> None:
    for title in ("CT1", "CT2"):
        Peer.objects.create(site=site, name=title, ae_title=title)
        association = call(listener, title)
        assert send(association, ct_image()).Status == 0x0000
        association.release()

    assert Instance.objects.count() == 1
    assert not Quarantined.objects.exists()


@pytest.mark.parametrize(
    ("second", "status", "said"),
    [
        ({"hu": 40}, 0x0111, "quarantine"),
        ({"PatientName": "ROE^Other", "number": 2}, 0xA900, "quarantine"),
        ({"PixelData": b"\0" * 100, "number": 2}, 0xC000, "TRUNCATED"),
    ],
)
def test_what_is_not_filed_is_answered_with_its_reason(
    listener: Listener, scanner: Peer, second: dict[str, Any], status: int, said: str
) -> None:
    association = call(listener)
    send(association, ct_image())

    refused = send(association, ct_image(**second))

    assert refused.Status == status
    assert said in refused.ErrorComment
    association.release()


def test_a_data_set_that_is_not_the_announced_object_is_refused(listener: Listener, scanner: Peer) -> None:
    association = call(listener, syntaxes=[ExplicitVRLittleEndian])
    dataset = pydicom.dcmread(io.BytesIO(ct_image()))
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = dataset.SOPClassUID, "2.25.4711"
    request.DataSet = io.BytesIO(encode(dataset, is_implicit_vr=False, is_little_endian=True) or b"")

    refused = converse(association, request)

    assert refused.Status == 0xA900
    assert not Instance.objects.exists()
    association.abort()


def test_when_the_disk_is_full_nothing_is_kept(
    listener: Listener, scanner: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = call(listener)
    send(first, ct_image(1))
    first.release()
    monkeypatch.setattr("scans.limits.LEAST_FREE_BYTES", 1 << 60)
    association = call(listener)

    refused = send(association, ct_image(2))

    assert (refused.Status, "full" in refused.ErrorComment) == (0xA700, True)
    assert Instance.objects.count() == 1
    association.release()


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless, RLELossless])
def test_compressed_images_are_kept_in_their_encoding(listener: Listener, scanner: Peer, syntax: str) -> None:
    dataset = pydicom.dcmread(io.BytesIO(ct_image()))
    dataset.compress(syntax, generate_instance_uid=False)
    association = call(listener, syntaxes=[syntax])

    status = association.send_c_store(dataset)

    assert status.Status == 0x0000
    assert Instance.objects.get().transfer_syntax_uid == syntax
    association.release()


def test_kinds_that_belong_to_no_archive_of_images_are_not_negotiated(
    listener: Listener, scanner: Peer
) -> None:
    storage_commitment = "1.2.840.10008.1.20.1"
    association = call(listener, classes=[storage_commitment, SegmentationStorage, MRImageStorage])

    accepted = {context.abstract_syntax for context in association.accepted_contexts}

    assert storage_commitment not in accepted
    assert {SegmentationStorage, MRImageStorage} <= accepted
    association.release()


def test_an_unknown_caller_is_rejected_and_remembered(listener: Listener, scanner: Peer) -> None:
    for _ in range(2):
        assert call(listener, "STRANGER").is_rejected

    (caller,) = UnknownCaller.objects.all()
    assert (caller.ae_title, caller.address, caller.called_ae_title) == (
        "STRANGER",
        "127.0.0.1",
        "LUNGPORTAL",
    )
    assert caller.count == 2


@pytest.mark.parametrize("change", [{"active": False}, {"may_send": False}, {"host": "192.0.2.7"}])
def test_a_peer_is_rejected_where_it_may_not_send(
    listener: Listener, scanner: Peer, change: dict[str, Any]
) -> None:
    Peer.objects.filter(pk=scanner.pk).update(**change)

    assert call(listener).is_rejected


def test_while_the_callers_cannot_be_looked_up_all_are_rejected(
    listener: Listener, scanner: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: str) -> None:
        raise ConnectionError

    monkeypatch.setattr("scans.dimse.listener.peer_calling", away)

    assert call(listener).is_rejected


def test_sites_that_know_the_same_title_are_told_apart(site: Site, other_site: Site) -> None:
    def peer(owner: Site, **more: Any) -> Peer:
        return Peer.objects.create(site=owner, name="CT", ae_title="CT", **more)

    anywhere, here = peer(site), peer(other_site, host="10.0.0.1")
    ours, theirs = peer(site, called_ae_title="NORTH"), peer(other_site, called_ae_title="SOUTH")

    assert peer_calling("CT", "ANY", "10.0.0.1") == here
    assert peer_calling("CT", "ANY", "::ffff:10.0.0.1") == here
    assert peer_calling("CT", "ANY", "10.0.0.9") == anywhere
    assert peer_calling("CT", "NORTH", "10.0.0.9") == ours
    assert peer_calling("CT", "SOUTH", "10.0.0.9") == theirs


def test_a_call_that_could_be_of_two_sites_is_nobodys(site: Site, other_site: Site) -> None:
    for owner in (site, other_site):
        Peer.objects.create(site=owner, name="CT", ae_title="CT")

    assert peer_calling("CT", "ANY", "10.0.0.1") is None


def test_a_scan_of_the_port_fills_no_table(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "MOST_UNKNOWN", 3)
    for number in range(5):
        callers.note_unknown(f"SCAN{number}", "ANY", "10.0.0.1")

    assert MOST_UNKNOWN > 3
    assert set(UnknownCaller.objects.values_list("ae_title", flat=True)) == {"SCAN2", "SCAN3", "SCAN4"}


def test_what_a_caller_sends_does_not_reach_the_log(
    listener: Listener, scanner: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    association = call(listener)
    send(association, ct_image(PatientName="SECRET^Name"))
    send(association, ct_image(PatientName="SECRET^Other"))
    association.release()
    listener.stop()

    assert "SECRET" not in caplog.text
    assert not AuditEntry.objects.filter(fields__icontains="SECRET").exists()


def test_many_associations_store_at_the_same_time(
    listener: Listener, scanner: Peer, in_parallel: Callable[..., list[Any]]
) -> None:
    def send_some(number: int) -> list[int]:
        association = call(listener)
        statuses = [send(association, ct_image(n)).Status for n in range(1, 6)]
        association.release()
        return statuses

    answers = in_parallel(send_some, 6)

    assert [status for one in answers for status in one] == [0] * 30
    assert Instance.objects.count() == 5
