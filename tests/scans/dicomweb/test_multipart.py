"""Bodies in parts, however they are cut into chunks."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.problems import UserError
from scans.dicomweb import multipart

HEADERS = b"Content-Type: application/dicom\r\n"


class Trickle(io.BytesIO):
    """Gives few bytes at a time, as a slow line does."""

    step = 3

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self.step, size or self.step))


def body_of(contents: list[bytes], preamble: bytes = b"") -> bytes:
    parts = [b"--mark\r\n" + HEADERS + b"\r\n" + content + b"\r\n" for content in contents]
    return preamble + b"".join(parts) + b"--mark--\r\n"


def read(stream: io.BytesIO) -> list[bytes]:
    return [b"".join(part.chunks) for part in multipart.parts(stream, b"mark")]


@given(st.lists(st.binary(max_size=200).filter(lambda b: b"--mark" not in b), max_size=5))
def test_parts_come_back_byte_for_byte(contents: list[bytes]) -> None:
    assert read(io.BytesIO(body_of(contents))) == contents


@pytest.mark.parametrize("step", [1, 2, 3, 7, 40])
def test_a_slow_line_changes_nothing(step: int) -> None:
    contents = [b"one\r\n--mar", b"", b"\r\n\r\nthree--"]
    stream = Trickle(body_of(contents))
    stream.step = step

    assert read(stream) == contents


def test_a_preamble_and_an_unread_part_are_skipped() -> None:
    body = io.BytesIO(body_of([b"first", b"second"], preamble=b"to be ignored\r\n"))
    seen = [next(part.chunks) for part in multipart.parts(body, b"mark")]

    assert [chunk[:1] for chunk in seen] == [b"f", b"s"]


@pytest.mark.parametrize("cut", [5, 30, 45, 60])
def test_a_body_that_ends_early_is_an_error_and_not_a_part(cut: int) -> None:
    with pytest.raises(UserError, match="ends before its last boundary"):
        read(io.BytesIO(body_of([b"content", b"more"])[:cut]))


def test_endless_headers_are_turned_away() -> None:
    with pytest.raises(UserError, match="headers"):
        read(io.BytesIO(b"--mark\r\n" + b"x" * 2_000_000))


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary=mark', b"mark"),
        ('multipart/related; type=application/dicom; boundary="a b\'c"', b"a b'c"),
        ("multipart/related; boundary=mark", b"mark"),
    ],
)
def test_the_boundary_is_found(content_type: str, boundary: bytes) -> None:
    assert multipart.boundary_of(content_type) == boundary
