"""Parts of a multipart/related body as they stream in (RFC 2387, DICOM PS3.18 section 8.6.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from functools import lru_cache
from typing import Protocol

from django.http import HttpRequest

from core.problems import UserError
from scans.durable import Piece

CHUNK = 256 * 1024
LONGEST_HEADERS = 16 * 1024


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart/related body of DICOM instances.

    Raises
    ------
    UserError : the body is something else, with what it should be.
    """
    message = Message()
    message["Content-Type"] = content_type
    inner = str(message.get_param("type") or "").lower()
    if message.get_content_type() != "multipart/related" or inner not in ("", "application/dicom"):
        raise UnsupportedBody(
            "media_type", 'Send DICOM instances as multipart/related; type="application/dicom".'
        )
    boundary = message.get_param("boundary")
    if not boundary:
        raise UserError("no_boundary", "The Content-Type has no boundary parameter: name it and send again.")
    return str(boundary).encode("ascii", "replace")


class UnsupportedBody(UserError):
    status = 415


class BodyTooLarge(UserError):
    status = 413


class Readable(Protocol):
    """A body that is still arriving, such as a Django request."""

    def read(self, size: int, /) -> bytes: ...


def body_of(request: HttpRequest) -> Readable:
    """The body as it arrives, also one sent in chunks without a length.

    Django takes a body without Content-Length for empty; the server says whether it ends by itself
    (`wsgi.input_terminated`, as gunicorn does).
    """
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    if chunked and request.META.get("wsgi.input_terminated"):
        stream: Readable = request.META["wsgi.input"]
        return stream
    return request


@dataclass(frozen=True)
class Part:
    """One part: its media type ("" if it names none) and its content as chunks."""

    media_type: str
    chunks: Iterator[Piece]


def parts(stream: Readable, boundary: bytes) -> Iterator[Part]:
    """Each part, its content as chunks; memory holds one chunk, whatever the size of the body.

    What a caller leaves of a part is skipped when the next one is asked for.

    Raises
    ------
    UserError : the body is not well formed or ends too early.
    """
    delimiter = b"\r\n--" + boundary
    body = _Body(stream)
    _skip(body.until(delimiter))
    while not body.starts_with(b"--"):
        headers = body.line_block(within=LONGEST_HEADERS)
        content = body.until(delimiter)
        yield Part(_media_type(headers), content)
        _skip(content)


@lru_cache(maxsize=64)
def _media_type(headers: bytes) -> str:
    """Asked for each part, and nearly always the same."""
    message = BytesHeaderParser().parsebytes(headers.lstrip(b" \t\r\n"))
    return message.get_content_type() if "Content-Type" in message else ""


class _Body:
    """A stream that can be read up to a mark."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._held = b"\r\n"  # so that a boundary on the first line is found like any other

    def until(self, mark: bytes) -> Iterator[Piece]:
        """Chunks up to the mark, which is consumed."""
        while (at := self._held.find(mark)) < 0:
            safe = len(self._held) - len(mark) + 1
            if safe > 0:
                yield memoryview(self._held)[:safe]
                self._held = self._held[safe:]
            self._fill()
        if at:
            yield memoryview(self._held)[:at]
        self._held = self._held[at + len(mark) :]

    def starts_with(self, text: bytes) -> bool:
        while len(self._held) < len(text):
            self._fill()
        return self._held.startswith(text)

    def line_block(self, within: int) -> bytes:
        """The header lines up to the empty line, which must come soon."""
        mark = b"\r\n\r\n"
        while (at := self._held.find(mark)) < 0:
            if len(self._held) > within:
                raise UserError("bad_multipart", "A part has no end of its headers: check the body.")
            self._fill()
        lines, self._held = self._held[:at], self._held[at + len(mark) :]
        return lines

    def _fill(self) -> None:
        fresh = self._stream.read(CHUNK)
        if not fresh:
            raise UserError(
                "bad_multipart",
                "The body ends before its last boundary: nothing of it is confirmed, send it again.",
            )
        self._held += fresh


def _skip(chunks: Iterator[Piece]) -> None:
    for _ in chunks:
        pass
