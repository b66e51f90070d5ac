"""DICOM over TLS: the listener with a certificate, with and without asking for the caller's."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from scans.dimse import tls
from scans.dimse.listener import Listener
from scans.models import Peer
from tests.scans.dimse.conftest import SCANNER, call, dcmtk

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture
def with_tls(settings: Any, certificate: tuple[Path, Path]) -> Callable[..., None]:
    """Names certificate and key, and an authority where asked, as the environment would."""

    def name(**more: str) -> None:
        cert, key = certificate
        dicom = replace(settings.ENVIRONMENT.dicom, tls_certificate=str(cert), tls_key=str(key), **more)
        settings.ENVIRONMENT = replace(settings.ENVIRONMENT, dicom=dicom)

    return name


def test_without_a_certificate_there_is_no_tls() -> None:
    assert tls.for_listener() is None


def test_dcmtk_speaks_tls_with_the_listener(
    with_tls: Callable[..., None], listening: Callable[..., Listener], scanner: Peer, certificate: Any
) -> None:
    with_tls()
    listener = listening(tls=tls.for_listener())
    trusting = ("+tla", "+cf", certificate[0])

    secured = dcmtk("echoscu", *trusting, "-aet", SCANNER, "-aec", "ANY", "127.0.0.1", listener.port)
    plain = dcmtk("echoscu", "-to", 3, "-ta", 3, "-aet", SCANNER, "127.0.0.1", listener.port)

    assert secured.returncode == 0, secured.stderr
    assert plain.returncode != 0


def test_with_an_authority_callers_must_show_a_certificate(
    with_tls: Callable[..., None], listening: Callable[..., Listener], scanner: Peer, certificate: Any
) -> None:
    cert, key = certificate
    with_tls(tls_authority=str(cert))
    listener = listening(tls=tls.for_listener())
    where = ("-aet", SCANNER, "127.0.0.1", listener.port)

    nameless = dcmtk("echoscu", "+tla", "+cf", cert, *where)
    named = dcmtk("echoscu", "+tls", key, cert, "+cf", cert, *where)

    assert nameless.returncode != 0
    assert named.returncode == 0, named.stderr


def test_we_speak_tls_with_a_peer(
    with_tls: Callable[..., None], listening: Callable[..., Listener], scanner: Peer, certificate: Any
) -> None:
    with_tls(tls_authority=str(certificate[0]))
    listener = listening(tls=tls.for_listener())

    association = call(listener, tls_args=(tls.for_sending(), "127.0.0.1"))

    assert association.is_established
    association.release()


def test_a_caller_that_never_shakes_hands_keeps_nobody_waiting(
    with_tls: Callable[..., None], listening: Callable[..., Listener], scanner: Peer, certificate: Any
) -> None:
    with_tls(tls_authority=str(certificate[0]))
    listener = listening(tls=tls.for_listener(), greeting_s=8.0)

    with socket.create_connection(("127.0.0.1", listener.port)):
        time.sleep(0.2)
        association = call(listener, tls_args=(tls.for_sending(), "127.0.0.1"))

        assert association.is_established
        association.release()


@pytest.mark.parametrize("change", [{"tls_key": ""}, {"tls_key": "/nowhere/key.pem"}])
def test_files_that_cannot_be_used_are_named(
    with_tls: Callable[..., None], settings: Any, change: dict[str, str]
) -> None:
    with_tls()
    dicom = replace(settings.ENVIRONMENT.dicom, **change)
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, dicom=dicom)

    with pytest.raises(ImproperlyConfigured, match="LUNGPORTAL_DICOM_TLS_CERT"):
        tls.for_listener()
