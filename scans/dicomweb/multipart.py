"""Parts of a multipart/related body as they stream in (RFC 2387, DICOM PS3.18 section 8.6.1)."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message

from django.http import HttpRequest
from django.http.multipartparser import ChunkIter, LazyStream, MultiPartParserError, Parser

from core.problems import UserError

CHUNK = 256 * 1024


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


def parts(stream: HttpRequest, boundary: bytes) -> Iterator[Iterator[bytes]]:
    """The body of each part as chunks; a part must be consumed before the next is asked for.

    Raises
    ------
    UserError : the body is not well formed or ends too early.
    """
    try:
        for _, _, body in Parser(LazyStream(ChunkIter(stream, CHUNK)), boundary):
            yield iter(body)
    except MultiPartParserError as error:
        raise UserError(
            "bad_multipart", "The multipart body is not well formed: check the boundary and send again."
        ) from error
