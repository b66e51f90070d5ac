"""What is reported of pynetdicom's listeners (its issue 1086) and its like: each is tried on ours."""

from __future__ import annotations

import io
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pydicom
import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from scans.dimse.listener import Listener
from scans.models import Instance, Peer
from tests.dicom_files import ct_image
from tests.scans.dimse.conftest import call, converse, send

pytestmark = pytest.mark.django_db

P_DATA = 4
MIB = 1 << 20


def test_uids_never_become_file_names(listener: Listener, scanner: Peer) -> None:
    hostile = "../../../../lungportal-traversal"
    dataset = pydicom.dcmread(io.BytesIO(ct_image()))
    association = call(listener, syntaxes=[ExplicitVRLittleEndian])
    dataset["SOPInstanceUID"]._value = hostile
    for data in (dataset, pydicom.dcmread(io.BytesIO(ct_image()))):
        request = _store_request(data, ExplicitVRLittleEndian)
        request._affected_sop_instance_uid = hostile
        assert converse(association, request).Status in (0xC000, 0xA900)
    association.release()

    assert not any(Path(default_storage.path("")).parent.rglob("*traversal*"))
    assert not Instance.objects.exists()
    assert _files_under(Path(default_storage.path(""))) == []
    assert _files_under(Path(settings.FILE_UPLOAD_TEMP_DIR)) == []


def test_a_pdu_that_announces_gigabytes_ends_the_connection(listener: Listener, scanner: Peer) -> None:
    with connected(listener) as line:
        line.sendall(struct.pack(">BBL", 1, 0, 0xFFFFFFF0))

        assert ended(line)
    assert still_answers(listener)


def test_an_endless_data_set_is_cut_off_and_costs_no_memory(
    listening: Callable[..., Listener], scanner: Peer
) -> None:
    listener = listening(instance_bytes=8 * MIB, in_memory_bytes=MIB)
    association = call(listener)
    before = psutil.Process().memory_info().rss
    line = _socket_of(association)
    line.sendall(_command_pdu(association))
    fragment = _data_pdu(association, b"\0" * 100_000, last=False)

    sent = _send_until_cut_off(line, fragment, most=64 * MIB)

    assert 15 * MIB < sent < 40 * MIB  # twice the limit, and what lies in the buffers of the line
    assert psutil.Process().memory_info().rss - before < 48 * MIB
    assert still_answers(listener)
    assert not Instance.objects.exists()


def test_an_object_beyond_the_limit_is_answered_with_its_reason(
    listening: Callable[..., Listener], scanner: Peer
) -> None:
    association = call(listening(instance_bytes=3000))

    refused = send(association, ct_image(Rows=64, Columns=32, PixelData=bytes(4096)))
    stored = send(association, ct_image())

    assert (refused.Status, "too large" in refused.ErrorComment) == (0xA700, True)
    assert stored.Status == 0x0000
    association.release()


def test_an_endless_command_set_is_cut_off(listener: Listener, scanner: Peer) -> None:
    association = call(listener)
    fragment = _pdu(association, b"\0" * 60_000, control=1)

    assert _send_until_cut_off(_socket_of(association), fragment, most=32 * MIB) < 32 * MIB
    assert still_answers(listener)


def test_requests_ahead_of_their_answers_are_cut_off(
    listener: Listener,
    scanner: Peer,
) -> None:
    association = call(listener)
    flood = _command_pdu(association) + _data_pdu(association, b"\0" * 1000, last=True)

    assert _send_until_cut_off(_socket_of(association), flood, most=4 * MIB) < 4 * MIB
    assert still_answers(listener)


def test_services_that_are_not_served_end_the_association(listener: Listener, scanner: Peer) -> None:
    association = call(listener)
    line = _socket_of(association)

    line.sendall(_command_pdu(association, field=0x0100))  # N-EVENT-REPORT: pynetdicom starts a thread for it

    assert _cut_off(line)
    assert still_answers(listener)


def test_garbage_ends_the_association_alone(listener: Listener, scanner: Peer) -> None:
    for junk in (b"GET / HTTP/1.1\r\n\r\n", struct.pack(">BBL", P_DATA, 0, 4) + b"junk", b"\xff" * 4096):
        with connected(listener) as line:
            line.sendall(junk)
            assert ended(line)
        association = call(listener)
        _socket_of(association).sendall(junk)
        assert _cut_off(_socket_of(association))
    assert still_answers(listener)


def test_associations_beyond_the_limit_are_rejected(
    listening: Callable[..., Listener], scanner: Peer
) -> None:
    listener = listening(associations=2)
    held = [call(listener), call(listener)]

    third = call(listener)

    assert third.is_rejected
    for association in held:
        association.release()
    assert _in_time(lambda: still_answers(listener))


def test_connections_that_say_nothing_are_bounded_and_let_go(
    listening: Callable[..., Listener], scanner: Peer
) -> None:
    listener = listening(connections=5, greeting_s=1.0)
    silent = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(5)]

    with connected(listener) as refused:
        assert ended(refused)
    assert all(ended(line) for line in silent)
    assert _in_time(lambda: still_answers(listener))


def test_a_caller_that_dawdles_inside_a_pdu_is_cut_off(
    listening: Callable[..., Listener], scanner: Peer
) -> None:
    listener = listening(greeting_s=5.0, pdu_s=1.0)
    with connected(listener) as line:
        line.sendall(struct.pack(">BBL", 1, 0, 1000))
        for _ in range(30):
            time.sleep(0.1)
            if not _accepts(line, b"\0"):
                break

        assert ended(line)
    assert still_answers(listener)


def test_a_message_that_trickles_in_is_cut_off(listening: Callable[..., Listener], scanner: Peer) -> None:
    association = call(listening(grace_s=0.5))
    line = _socket_of(association)
    line.sendall(_command_pdu(association))
    fragment = _data_pdu(association, b"\0" * 10, last=False)

    assert _in_time(lambda: not _accepts(line, fragment))


def test_a_deflate_bomb_is_refused_within_bounds(listener: Listener, scanner: Peer) -> None:
    association = call(listener, syntaxes=[DeflatedExplicitVRLittleEndian])
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    plain = encode(pydicom.dcmread(io.BytesIO(ct_image())), False, True) or b""
    bomb = deflater.compress(plain) + b"".join(deflater.compress(bytes(MIB)) for _ in range(100))
    before = psutil.Process().memory_info().rss
    request = _store_request(pydicom.dcmread(io.BytesIO(ct_image())), ExplicitVRLittleEndian)
    request.DataSet = io.BytesIO(bomb + deflater.flush())

    refused = converse(association, request)

    assert (refused.Status, "TOO_LARGE" in refused.ErrorComment) == (0xA700, True)
    assert psutil.Process().memory_info().rss - before < 300 * MIB
    association.release()


def test_sequences_without_end_are_refused(listener: Listener, scanner: Peer) -> None:
    association = call(listener, syntaxes=[ExplicitVRLittleEndian])
    deep = struct.pack("<HH2sHL", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    request = _store_request(pydicom.dcmread(io.BytesIO(ct_image())), ExplicitVRLittleEndian)
    request.DataSet = io.BytesIO((deep + item) * 10_000)

    refused = converse(association, request)

    assert refused.Status in (0xC000, 0x0110, 0xA700)
    assert send(association, ct_image()).Status == 0x0000
    association.release()


@contextmanager
def connected(listener: Listener) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", listener.port), timeout=15) as line:
        yield line


def ended(line: socket.socket) -> bool:
    """Whether the other side closes the connection, after an A-ABORT perhaps."""
    line.settimeout(15)
    try:
        while line.recv(4096):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def still_answers(listener: Listener) -> bool:
    association = call(listener)
    if not association.is_established:
        return False
    status = association.send_c_echo()
    association.release()
    return bool(status.Status == 0x0000)


def _store_request(dataset: pydicom.Dataset, syntax: str) -> C_STORE:
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID = dataset.SOPClassUID
    request.AffectedSOPInstanceUID = "2.25.77002.1"
    request.DataSet = io.BytesIO(encode(dataset, False, True) or b"")
    return request


def _pdu(association: Any, fragment: bytes, control: int) -> bytes:
    """One P-DATA-TF PDU with one fragment (PS3.8 9.3.5 and annex E.2)."""
    context = next(iter(c for c in association.accepted_contexts if "CT" in c.abstract_syntax.name))
    item = struct.pack(">LBB", len(fragment) + 2, context.context_id, control) + fragment
    return struct.pack(">BBL", P_DATA, 0, len(item)) + item


def _data_pdu(association: Any, fragment: bytes, *, last: bool) -> bytes:
    return _pdu(association, fragment, 2 if last else 0)


def _command_pdu(association: Any, field: int = 0x0001) -> bytes:
    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = b"".join(
        (
            element(0x0002, b"1.2.840.10008.5.1.4.1.1.2\0"),
            element(0x0100, struct.pack("<H", field)),
            element(0x0110, struct.pack("<H", 1)),
            element(0x0700, struct.pack("<H", 2)),
            element(0x0800, struct.pack("<H", 0x0101 if field != 1 else 0)),
            element(0x1000, b"2.25.77002.1"),
        )
    )
    return _pdu(association, element(0x0000, struct.pack("<L", len(body))) + body, control=3)


def _socket_of(association: Any) -> socket.socket:
    carrier = association.dul.socket.socket
    carrier.settimeout(10)
    return carrier  # type: ignore[no-any-return]


def _accepts(line: socket.socket, data: bytes) -> bool:
    try:
        line.sendall(data)
    except OSError:
        return False
    return True


def _send_until_cut_off(line: socket.socket, data: bytes, most: int) -> int:
    sent = 0
    while sent < most and _accepts(line, data):
        sent += len(data)
    return sent


def _cut_off(line: socket.socket) -> bool:
    """Whether the listener ends an association; pynetdicom's caller closes its side when it hears of it."""
    return _in_time(lambda: line.fileno() < 0 or not _accepts(line, b""))


def _in_time(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


def _files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def test_no_thread_is_left_when_the_listener_stops(listening: Callable[..., Listener], scanner: Peer) -> None:
    listener = listening()
    association = call(listener)
    listener.stop()

    assert _in_time(lambda: not any("AcceptorThread" in thread.name for thread in threading.enumerate()))
    association.abort()
