"""Five thousand damaged uploads, bombs and slow bodies: no error of ours, bounded memory, still at work."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections import Counter

import psutil
import pytest
import requests

from bench.archive.memory import peak_of
from tests.dicom_files import ct_image
from tests.hostile import deflate_bomb, forged_zip, mutants, nested, zip_bomb
from tests.live import Portal

pytestmark = pytest.mark.stack

UPLOADS = 5000
PER_REQUEST = 100
MOST_MB = 300.0
MOST_S = 60.0


@pytest.fixture(scope="module")
def token(running_stack: Portal) -> str:
    return running_stack.token("technician")


@pytest.fixture
def steady(running_stack: Portal) -> object:
    """After the test the same processes run, and a good image is still taken."""
    before = web_processes(running_stack)
    with peak_of(running_stack.processes()["web"]) as peak:
        yield peak
    assert web_processes(running_stack) == before
    assert peak.mb < MOST_MB


def web_processes(portal: Portal) -> set[int]:
    root = psutil.Process(portal.processes()["web"])
    return {root.pid, *(child.pid for child in root.children())}


def send(portal: Portal, token: str, files: list[bytes]) -> requests.Response:
    parts = [b"--mark\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files]
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=mark'}
    return portal.post("/dicomweb/studies", token, data=b"".join([*parts, b"--mark--"]), headers=kind)


def good_image() -> bytes:
    """Of a patient whom no mutant names."""
    return ct_image(1, study="2.25.4242", series="2.25.4243", PatientID="H-1")


def still_at_work(portal: Portal, token: str) -> bool:
    return send(portal, token, [good_image()]).status_code == 200


def test_five_thousand_mutants_end_in_outcomes(running_stack: Portal, token: str, steady: object) -> None:
    statuses: Counter[int] = Counter()
    files = list(mutants(UPLOADS))
    for at in range(0, UPLOADS, PER_REQUEST):
        statuses[send(running_stack, token, files[at : at + PER_REQUEST]).status_code] += 1

    assert set(statuses) <= {200, 202, 409}, statuses
    assert still_at_work(running_stack, token)


@pytest.mark.parametrize("make", [nested, deflate_bomb, zip_bomb, forged_zip])
def test_a_bomb_is_refused_quickly(running_stack: Portal, token: str, steady: object, make: object) -> None:
    bomb = make()  # type: ignore[operator]
    start = time.perf_counter()
    by_stow = send(running_stack, token, [bomb]).status_code
    by_form = running_stack.post("/api/v1/uploads/", token, files={"files": ("a", bomb)}).status_code

    assert by_stow in (409, 413)
    assert by_form < 500
    assert time.perf_counter() - start < MOST_S
    assert still_at_work(running_stack, token)


def test_a_packed_body_is_not_unpacked(running_stack: Portal, token: str) -> None:
    headers = {"Content-Type": "multipart/related; boundary=mark", "Content-Encoding": "gzip"}
    packed = gzip.compress(bytes(10 << 20))

    assert running_stack.post("/dicomweb/studies", token, data=packed, headers=headers).status_code == 415


def test_slow_bodies_do_not_keep_others_out(running_stack: Portal, token: str, steady: object) -> None:
    """Ten senders that give a byte now and then; fewer than there are threads."""
    host, port = running_stack.base_url.removeprefix("http://").split(":")
    head = (
        f"POST /dicomweb/studies HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Token {token}\r\n"
        "Content-Type: multipart/related; boundary=mark\r\nContent-Length: 100000\r\n\r\n--mark\r\n"
    ).encode()
    lines = [socket.create_connection((host, int(port))) for _ in range(10)]
    stop = threading.Event()

    def trickle() -> None:
        while not stop.wait(0.3):
            for line in lines:
                line.send(b"x")

    for line in lines:
        line.send(head)
    slow = threading.Thread(target=trickle)
    slow.start()
    try:
        assert still_at_work(running_stack, token)
    finally:
        stop.set()
        slow.join()
        for line in lines:
            line.close()


def test_memory_stays_flat_while_300_megabytes_come_in(
    running_stack: Portal, token: str, steady: object
) -> None:
    file = good_image()
    big = file + b"\xfc\xff\xfc\xffOB\x00\x00" + (60_000_000).to_bytes(4, "little") + bytes(60_000_000)

    def body() -> object:
        for number in range(5):
            head = b"--mark\r\nContent-Type: application/dicom\r\n\r\n"
            yield head + big.replace(b"2.25.4243.1", b"2.25.4243.%d" % (number + 2)) + b"\r\n"
        yield b"--mark--"

    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=mark'}
    answer = running_stack.post("/dicomweb/studies", token, data=body(), headers=kind)

    assert answer.status_code in (200, 409)
