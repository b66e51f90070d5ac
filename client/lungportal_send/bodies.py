"""Bodies of requests that stream from the disk, their length known before."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lungportal_send.files import Local

CHUNK = 256 << 10


class Changed(Exception):
    """A file is no longer what it was when its size was read, or cannot be read."""

    def __init__(self, local: Local) -> None:
        super().__init__(local.name)
        self.local = local


@dataclass
class Body:
    """Files as a multipart body. `sha256` holds the hash of each once it has been read to its end."""

    files: list[Local]
    content_type: str
    sha256: dict[Local, str] = field(default_factory=dict)
    _frames: list[bytes] = field(default_factory=list)
    _end: bytes = b""

    @property
    def length(self) -> int:
        return sum(map(len, self._frames)) + sum(one.size + 2 for one in self.files) + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        for frame, local in zip(self._frames, self.files, strict=True):
            yield frame
            yield from self._content(local)
            yield b"\r\n"
        yield self._end

    def _content(self, local: Local) -> Iterator[bytes]:
        digest, left = hashlib.sha256(), local.size
        try:
            with local.path.open("rb") as file:
                while chunk := file.read(min(CHUNK, left)):
                    digest.update(chunk)
                    left -= len(chunk)
                    yield chunk
                if left or file.read(1):
                    raise Changed(local)
        except OSError as error:
            raise Changed(local) from error
        self.sha256[local] = digest.hexdigest()


def instances(files: list[Local]) -> Body:
    """`multipart/related` of DICOM instances (PS3.18 section 10.5). No file name goes along."""
    mark = uuid.uuid4().hex
    head = f"--{mark}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    kind = f'multipart/related; type="application/dicom"; boundary={mark}'
    return Body(files, kind, _frames=[head] * len(files), _end=f"--{mark}--\r\n".encode())


def archive(local: Local, site: str) -> Body:
    """`multipart/form-data` with one zip, which the portal unpacks."""
    mark = uuid.uuid4().hex
    named = f'--{mark}\r\nContent-Disposition: form-data; name="site"\r\n\r\n{site}\r\n' if site else ""
    head = f'{named}--{mark}\r\nContent-Disposition: form-data; name="files"; filename="0"\r\n'
    head += "Content-Type: application/zip\r\n\r\n"
    kind = f"multipart/form-data; boundary={mark}"
    return Body([local], kind, _frames=[head.encode()], _end=f"--{mark}--\r\n".encode())


def fields(item: dict[str, Any], tag: str) -> list[Any]:
    """Values of an element in DICOM JSON (PS3.18 annex F)."""
    return list(item.get(tag, {}).get("Value") or [])
