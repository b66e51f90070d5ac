"""Where `bin/up` puts the DICOM listener, and what happens when the port is taken."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lungportal.runtime import up
from lungportal.runtime.stack import Address
from tests.live import free_port

WEB = Address("127.0.0.1", 8000)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port where somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


@pytest.mark.parametrize(("given", "port"), [("none", 0), ("0", 0), ("11113", 11113)])
def test_the_option_takes_a_port_or_none(given: str, port: int) -> None:
    assert up._parse(["--dicom-port", given]).dicom_port == port


def test_without_a_listener_nothing_is_bound() -> None:
    assert up._dicom_address(WEB, 0) is None


def test_the_listener_stands_beside_the_web_server() -> None:
    port = free_port()

    assert up._dicom_address(WEB, port) == Address("127.0.0.1", port)


def test_a_port_that_was_asked_for_and_is_taken_stops_the_start(taken: int) -> None:
    said = up._dicom_address(WEB, taken)

    assert isinstance(said, str)
    assert f"Port {taken}" in said
    assert "--dicom-port" in said


def test_a_second_portal_starts_without_a_listener(
    taken: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(up, "DICOM_PORT", taken)

    assert up._dicom_address(WEB, None) is None
    assert "No listener is started" in capsys.readouterr().out
