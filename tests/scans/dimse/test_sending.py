"""Results on their way to peers, taken by real receivers: Orthanc, a DICOM node, a DICOMweb service."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests
from django.utils import timezone

from accounts.models import Site
from core.models import OutboxMessage
from scans.dimse.sending import LEASE, RETRY_AFTER, TASK, deliver, promise_due, send_again, send_results
from scans.ingest.arrivals import arrive
from scans.ingest.receive import receive
from scans.models import Delivery, Instance, Peer
from scans.storage import spool
from tests.dicom_files import ct_image
from tests.live import free_port
from tests.scans.dimse.conftest import call, send, wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def instance(site: Site) -> Instance:
    """One stored object, standing for a result."""
    with spool([ct_image()]) as spooled:
        (receipt,) = receive(site, [arrive(spooled)])
    assert receipt.instance is not None
    return receipt.instance


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promises stay in the outbox, where they can be counted."""
    monkeypatch.setattr("core.outbox.deliver", lambda message: False)


def peer_at(site: Site, port: int, **more: Any) -> Peer:
    fields = {"host": "127.0.0.1", "port": port, "receives_results": True, "ae_title": "PACS", **more}
    return Peer.objects.create(site=site, name="PACS", **fields)


def send_now(instance: Instance) -> Delivery:
    """Promise and send at once; returns what became of it."""
    study = instance.series.study
    send_results(study, [instance])
    row = Delivery.objects.get(instance=instance)
    deliver(study.pk, row.peer_id)
    row.refresh_from_db()
    return row


@pytest.mark.usefixtures("no_broker")
def test_results_are_promised_to_each_active_peer_that_wants_them_once(
    instance: Instance, site: Site, other_site: Site
) -> None:
    wanting = peer_at(site, 104)
    peer_at(site, 104, ae_title="OFF", active=False)
    peer_at(site, 104, ae_title="SENDER", receives_results=False)
    peer_at(other_site, 104)

    for _ in range(2):
        send_results(instance.series.study, [instance])

    (delivery,) = Delivery.objects.all()
    assert (delivery.peer, delivery.state, delivery.site) == (wanting, "waiting", site)
    promised = OutboxMessage.objects.filter(task=TASK)
    assert {message.arguments["peer_id"] for message in promised} == {str(wanting.pk)}


@pytest.mark.usefixtures("no_broker")
def test_orthanc_takes_results_by_c_store(instance: Instance, site: Site, orthanc: Orthanc) -> None:
    peer_at(site, orthanc.dicom_port, ae_title="ORTHANC")

    delivery = send_now(instance)

    assert (delivery.state, delivery.last_error, delivery.attempts) == ("sent", "", 1)
    (stored,) = orthanc.instances()
    assert pydicom.dcmread(io.BytesIO(stored)) == pydicom.dcmread(io.BytesIO(ct_image()))


def test_orthanc_sends_to_the_listener_unchanged(
    listening: Callable[..., Any], site: Site, orthanc_for: Callable[[int], Orthanc]
) -> None:
    listener = listening()
    Peer.objects.create(site=site, name="Orthanc", ae_title="ORTHANC")
    orthanc = orthanc_for(listener.port)

    orthanc.keep(ct_image(1))
    orthanc.keep(ct_image(2))
    orthanc.send_all_to("lungportal")

    assert Instance.objects.filter(site=site).count() == 2


@pytest.mark.usefixtures("no_broker")
def test_a_dicomweb_service_takes_results_with_the_authorization_of_the_peer(
    instance: Instance, site: Site, dicomweb_service: DicomwebService
) -> None:
    address = f"http://127.0.0.1:{dicomweb_service.port}/dicom-web"
    peer_at(site, 1, stow_url=address, stow_authorization="Bearer abc")

    delivery = send_now(instance)

    assert delivery.state == "sent"
    (request,) = dicomweb_service.requests
    assert (request["path"], request["authorization"]) == ("/dicom-web/studies", "Bearer abc")
    (content,) = _parts(request)
    assert pydicom.dcmread(io.BytesIO(content)) == pydicom.dcmread(io.BytesIO(ct_image()))


@pytest.mark.usefixtures("no_broker")
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"", "does not let us in"),
        (409, b"", "HTTP 409"),
        (200, json.dumps({"00081198": {"vr": "SQ", "Value": [{}]}}).encode(), "refused the object"),
    ],
)
def test_what_a_dicomweb_service_refuses_is_told_and_tried_again(
    instance: Instance, site: Site, dicomweb_service: DicomwebService, status: int, body: bytes, said: str
) -> None:
    dicomweb_service.status, dicomweb_service.body = status, body
    peer_at(site, 1, stow_url=f"http://127.0.0.1:{dicomweb_service.port}")

    delivery = send_now(instance)

    assert (delivery.state, delivery.attempts) == ("waiting", 1)
    assert said in delivery.last_error


@pytest.mark.usefixtures("no_broker")
def test_a_peer_that_is_away_is_tried_again_later_and_given_up_in_the_end(
    instance: Instance, site: Site
) -> None:
    peer_at(site, free_port())
    before = timezone.now()

    delivery = send_now(instance)

    assert "does not answer" in delivery.last_error
    assert delivery.next_attempt_at > before + RETRY_AFTER[0] - timedelta(seconds=1)
    assert deliver(delivery.study_id, delivery.peer_id) == 0, "it is not due yet"
    for _ in RETRY_AFTER:
        Delivery.objects.update(next_attempt_at=before)
        deliver(delivery.study_id, delivery.peer_id)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("given_up", len(RETRY_AFTER) + 1)
    assert send_again([delivery]) == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("waiting", 0)


@pytest.mark.usefixtures("no_broker")
def test_a_peer_that_does_not_know_us_is_named_with_the_remedy(
    instance: Instance, site: Site, listening: Callable[..., Any]
) -> None:
    peer_at(site, listening().port, ae_title="OTHERPORTAL", may_send=False)

    delivery = send_now(instance)

    assert "register LUNGPORTAL there" in delivery.last_error


@pytest.mark.usefixtures("no_broker")
def test_an_attempt_that_was_killed_is_taken_up_after_its_lease(instance: Instance, site: Site) -> None:
    from scans.dimse import sending

    peer = peer_at(site, 104)
    send_results(instance.series.study, [instance])
    OutboxMessage.objects.all().delete()
    study_id = instance.series.study_id
    assert len(sending._claim(study_id, peer.pk)) == 1  # and then the worker dies
    assert promise_due() == 0

    Delivery.objects.update(next_attempt_at=timezone.now() - LEASE)

    assert promise_due() == 1
    assert OutboxMessage.objects.get().arguments == {"study_id": str(study_id), "peer_id": str(peer.pk)}


def test_what_we_send_is_taken_by_a_listener_of_our_own(
    listening: Callable[..., Any], instance: Instance, scanner: Peer
) -> None:
    association = call(listening())

    assert send(association, ct_image()).Status == 0x0000
    association.release()


class DicomwebService:
    """A STOW-RS service that notes what comes and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.status, self.body = 200, b"{}"
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                service.requests.append(
                    {
                        "path": self.path,
                        "authorization": self.headers["Authorization"],
                        "type": self.headers["Content-Type"],
                        "body": self.rfile.read(length),
                    }
                )
                self.send_response(service.status)
                self.send_header("Content-Length", str(len(service.body)))
                self.end_headers()
                self.wfile.write(service.body)

            def log_message(self, *_: Any) -> None:
                """Nothing on the terminal of the tests."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


@pytest.fixture
def dicomweb_service() -> Iterator[DicomwebService]:
    service = DicomwebService()
    thread = threading.Thread(target=service.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield service
    service.server.shutdown()
    service.server.server_close()
    thread.join(5)


def _parts(request: dict[str, Any]) -> list[bytes]:
    mark = re.search(r"boundary=(\S+)", request["type"])
    assert mark is not None
    pieces = request["body"].split(b"--" + mark.group(1).encode())[1:-1]
    return [piece.split(b"\r\n\r\n", 1)[1][:-2] for piece in pieces]


class Orthanc:
    """Debian's Orthanc on ports of its own, in a folder of its own."""

    def __init__(self, folder: Path, peer_port: int) -> None:
        self.dicom_port, self.http_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        settings = {
            "StorageDirectory": str(folder),
            "IndexDirectory": str(folder),
            "Plugins": [],
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "DicomAet": "ORTHANC",
            "DicomAlwaysAllowStore": True,
            "AuthenticationEnabled": False,
            "RemoteAccessAllowed": False,
            "DicomModalities": {"lungportal": ["LUNGPORTAL", "127.0.0.1", peer_port]},
        }
        file = folder / "orthanc.json"
        file.write_text(json.dumps(settings))
        program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin") or shutil.which("Orthanc")
        if program is None:
            pytest.skip("Orthanc is not installed (apt install orthanc)")
        self.process = subprocess.Popen(
            [program, str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/system", timeout=2).ok
        except requests.ConnectionError:
            return False

    def keep(self, content: bytes) -> None:
        requests.post(f"{self.url}/instances", data=content, timeout=20).raise_for_status()

    def instances(self) -> list[bytes]:
        found = requests.get(f"{self.url}/instances", timeout=20).json()
        return [requests.get(f"{self.url}/instances/{one}/file", timeout=20).content for one in found]

    def send_all_to(self, modality: str) -> None:
        found = requests.get(f"{self.url}/studies", timeout=20).json()
        sent = requests.post(f"{self.url}/modalities/{modality}/store", json=found, timeout=60)
        sent.raise_for_status()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def orthanc_for(tmp_path: Path) -> Iterator[Callable[[int], Orthanc]]:
    started: list[Orthanc] = []

    def start(peer_port: int) -> Orthanc:
        folder = tmp_path / "orthanc"
        folder.mkdir()
        started.append(Orthanc(folder, peer_port))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def orthanc(orthanc_for: Callable[[int], Orthanc]) -> Orthanc:
    return orthanc_for(1)
