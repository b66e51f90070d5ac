"""A volume's file is served whole or in ranges, and is kept by the browser for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from accounts.models import Person, Site
from scans.dicom.geometry import Geometry
from scans.dicom.volume import BuiltVolume, volume_digest
from scans.models import Volume
from scans.volumes import keep
from tests.factories import SeriesFactory, StudyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def volume(site: Site) -> Volume:
    hu = np.random.default_rng(1).integers(-1000, 1000, (3, 16, 16)).astype(np.int16)
    geometry = Geometry((3, 16, 16), (1.0, 0.7, 0.7), (-5.0, 2.0, 30.0))
    built = BuiltVolume(
        hu, geometry, volume_digest(hu, geometry), ("1", "2", "3"), (1, 2, 3), (0.0, 1.0, 2.0)
    )
    return keep(SeriesFactory(study=StudyFactory(site=site)), built)


@pytest.fixture
def ask(volume: Volume, radiologist: Person, client_of: Callable[[Person], Client]) -> Callable[..., Any]:
    browser = client_of(radiologist)
    address = reverse("volume", args=[volume.series_id, volume.digest])
    return lambda **headers: browser.get(address, headers=headers)


@pytest.fixture
def content(volume: Volume) -> bytes:
    with default_storage.open(volume.file, "rb") as file:
        return file.read()


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_the_whole_file_comes_with_leave_to_keep_it(ask: Callable[..., Any], content: bytes) -> None:
    answer = ask()
    assert body(answer) == content
    assert answer["Content-Length"] == str(len(content))
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    assert ask(**{"If-None-Match": answer["ETag"]}).status_code == 304


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-3", 0, 4), ("bytes=10-", 10, None), ("bytes=-7", -7, None), ("bytes=5-99999999", 5, None)],
)
def test_a_range_is_a_part_of_the_file(
    asked: str, start: int, end: int | None, ask: Callable[..., Any], content: bytes
) -> None:
    answer = ask(Range=asked)
    expected = content[start:end]
    assert (answer.status_code, body(answer)) == (206, expected)
    first = start % len(content)
    assert answer["Content-Range"] == f"bytes {first}-{first + len(expected) - 1}/{len(content)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=9-3", "bytes=-0"])
def test_a_range_outside_the_file_is_refused(asked: str, ask: Callable[..., Any], content: bytes) -> None:
    answer = ask(Range=asked)
    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{len(content)}")


@pytest.mark.parametrize("asked", ["bytes=-", "lines=1-2", "bytes=1-2,4-5", f"bytes={'9' * 5000}-"])
def test_a_range_that_is_none_gives_the_whole_file(
    asked: str, ask: Callable[..., Any], content: bytes
) -> None:
    answer = ask(Range=asked)
    assert (answer.status_code, body(answer)) == (200, content)


def test_a_range_of_another_version_gives_the_whole_file(ask: Callable[..., Any], content: bytes) -> None:
    assert body(ask(Range="bytes=0-3", **{"If-Range": '"another"'})) == content


def test_the_geometry_is_a_document_of_its_own(
    volume: Volume, radiologist: Person, client_of: Callable[[Person], Client]
) -> None:
    address = reverse("volume-geometry", args=[volume.series_id, volume.digest])
    told = client_of(radiologist).get(address).json()
    assert (told["shape"], told["spacing_mm"], told["origin_mm"]) == ([3, 16, 16], [1, 0.7, 0.7], [-5, 2, 30])
    assert told["direction"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_another_hospital_sees_nothing(
    volume: Volume, stranger: Person, client_of: Callable[[Person], Client]
) -> None:
    for name in ("volume", "volume-geometry"):
        address = reverse(name, args=[volume.series_id, volume.digest])
        assert client_of(stranger).get(address).status_code == 404
