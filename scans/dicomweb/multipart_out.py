"""multipart/related answers, part by part, so that no answer is ever whole in memory (PS3.18 section 8.6)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.http import StreamingHttpResponse

from scans.dicomweb.negotiation import MULTIPART


@dataclass(frozen=True)
class Part:
    """One part: its media type, where it is to be had alone, and its content in pieces."""

    media_type: str
    content: Iterable[bytes]
    location: str = ""


def multipart(parts: Iterable[Part], media_type: str) -> StreamingHttpResponse:
    """The parts as one streamed answer; `media_type` is that of each of them."""
    boundary = secrets.token_hex(16)
    response = StreamingHttpResponse(_written(parts, boundary.encode()))
    response["Content-Type"] = f'{MULTIPART}; type="{media_type}"; boundary={boundary}'
    response["Cache-Control"] = "private, no-cache"
    return response


def with_syntax(media_type: str, syntax: str) -> str:
    """A media type with its transfer syntax."""
    return f"{media_type}; transfer-syntax={syntax}"


def _written(parts: Iterable[Part], boundary: bytes) -> Iterator[bytes]:
    for part in parts:
        head = f"Content-Type: {part.media_type}\r\n"
        if part.location:
            head += f"Content-Location: {part.location}\r\n"
        yield b"--" + boundary + b"\r\n" + head.encode() + b"\r\n"
        yield from part.content
        yield b"\r\n"
    yield b"--" + boundary + b"--\r\n"
