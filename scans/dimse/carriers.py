"""How objects get to a peer: C-STORE over one association, or STOW-RS over one connection."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

import pydicom
from django.conf import settings
from django.core.files.storage import default_storage
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from scans.dimse import tls
from scans.ingest.arrivals import INSTANCES
from scans.models import Instance, Peer
from scans.storage import content_name

CONNECT_S, ANSWER_S = 15, 60
WARNINGS = range(0xB000, 0xC000)
MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: context ids are the odd numbers up to 255
LONGEST_ANSWER = 1 << 20


class DeliveryFailed(Exception):
    """The peer cannot be reached, or ended the conversation; nothing more can be sent now."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Carrier(Protocol):
    def send(self, instance: Instance) -> str:
        """Send one object; says what went wrong, or nothing.

        Raises
        ------
        DeliveryFailed : the others cannot be sent either.
        """


@contextmanager
def carrier_for(peer: Peer, instances: Sequence[Instance]) -> Iterator[Carrier]:
    """An open way to the peer for these objects.

    Raises
    ------
    DeliveryFailed : the peer cannot be reached or refuses us.
    """
    if peer.stow_url:
        carrier = StowCarrier(peer)
        try:
            yield carrier
        finally:
            carrier.connection.close()
        return
    association = _associate(peer, instances)
    try:
        yield StoreCarrier(association)
    finally:
        if association.is_established:
            association.release()


def _associate(peer: Peer, instances: Sequence[Instance]) -> Association:
    if not peer.host or not peer.port:
        raise DeliveryFailed("The peer has no address and port. Fill them in on its page.")
    entity = AE(settings.ENVIRONMENT.dicom.ae_title)
    entity.connection_timeout = entity.acse_timeout = CONNECT_S
    entity.dimse_timeout = entity.network_timeout = ANSWER_S
    kinds = {(i.sop_class_uid, syntax) for i in instances for syntax in _offered(i.transfer_syntax_uid)}
    for sop_class, syntax in sorted(kinds)[:MOST_CONTEXTS]:
        entity.add_requested_context(sop_class, syntax)
    secured = (tls.for_sending(), peer.host) if peer.tls else None
    association = entity.associate(peer.host, peer.port, ae_title=peer.ae_title, tls_args=secured)
    if association.is_established:
        return association
    if association.is_rejected:
        raise DeliveryFailed(
            f"{peer.ae_title} rejects us: register {entity.ae_title} there, and check the title of the peer."
        )
    raise DeliveryFailed(f"{peer.host}:{peer.port} does not answer as a DICOM node. Check address and port.")


def _offered(transfer_syntax_uid: str) -> list[str]:
    """Its own encoding, and for uncompressed objects the other one that pynetdicom can write."""
    plain = [str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)]
    return plain if transfer_syntax_uid in plain else [transfer_syntax_uid]


class StoreCarrier:
    """C-STORE (PS3.4 annex B)."""

    def __init__(self, association: Association) -> None:
        self._association = association

    def send(self, instance: Instance) -> str:
        if not self._association.is_established:
            raise DeliveryFailed("The peer ended the association.")
        with default_storage.open(content_name(INSTANCES, instance.sha256)) as file:
            dataset = pydicom.dcmread(file)
        try:
            status = self._association.send_c_store(dataset)
        except ValueError:
            return "The peer does not take objects of this kind in this encoding."
        except RuntimeError as error:
            raise DeliveryFailed("The peer ended the association.") from error
        if "Status" not in status:
            raise DeliveryFailed("The peer did not answer in time, or ended the association.")
        code = int(status.Status)
        return "" if code == 0 or code in WARNINGS else f"The peer refused the object (status {code:04X})."


class StowCarrier:
    """STOW-RS (PS3.18 section 10.5), one object a request on one connection."""

    def __init__(self, peer: Peer) -> None:
        address = urlsplit(peer.stow_url)
        self._path = f"{address.path.rstrip('/')}/studies"
        self._authorization = peer.stow_authorization
        host, port = address.hostname or "", address.port
        self.connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(host, port, timeout=ANSWER_S, context=tls.for_sending())
            if address.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=ANSWER_S)
        )

    def send(self, instance: Instance) -> str:
        try:
            status, body = self._post(instance)
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryFailed(
                "The DICOMweb address does not answer. Check it, and the network."
            ) from error
        if status in (401, 403):
            raise DeliveryFailed("The DICOMweb service does not let us in. Check the authorization.")
        if status in (200, 201, 202) and not _has_failures(body):
            return ""
        return f"The DICOMweb service refused the object (HTTP {status})."

    def _post(self, instance: Instance) -> tuple[int, bytes]:
        mark = uuid.uuid4().hex
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={mark}',
            "Accept": "application/dicom+json",
        }
        if self._authorization:
            headers["Authorization"] = self._authorization
        with default_storage.open(content_name(INSTANCES, instance.sha256)) as file:
            head = f"--{mark}\r\nContent-Type: application/dicom\r\n\r\n".encode()
            tail = f"\r\n--{mark}--\r\n".encode()
            headers["Content-Length"] = str(len(head) + instance.size + len(tail))
            body = _in_turn(head, file, tail)
            self.connection.request("POST", self._path, body=body, headers=headers)
        answer = self.connection.getresponse()
        said = answer.read(LONGEST_ANSWER)
        if not answer.isclosed():  # more was said than anybody needs: start a new connection
            self.connection.close()
        return answer.status, said


def _in_turn(head: bytes, file: Any, tail: bytes) -> Iterator[bytes]:
    yield head
    yield from file.chunks()
    yield tail


def _has_failures(body: bytes) -> bool:
    """Whether the answer lists failed objects (0008,1198); other services answer in XML or not at all."""
    try:
        answer = json.loads(body)
    except ValueError:
        return b"00081198" in body
    answers = answer if isinstance(answer, list) else [answer]
    return any(isinstance(one, dict) and one.get("00081198", {}).get("Value") for one in answers)
