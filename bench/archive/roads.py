"""How fast instances go in over HTTP: one sender, and five at once."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

MARK = "bench-mark"
STOW_TYPE = f'multipart/related; type="application/dicom"; boundary={MARK}'
PER_REQUEST = 25
CLIENTS = 5


@dataclass(frozen=True)
class Target:
    """A server, and how its instances are posted: by STOW (`per_request` parts) or one by one."""

    port: int
    path: str
    per_request: int = PER_REQUEST
    headers: Mapping[str, str] = field(default_factory=dict)


def rate(target: Target, files: Sequence[bytes]) -> float:
    """Instances a second of one sender with one connection."""
    start = time.perf_counter()
    _send(target, files)
    return len(files) / (time.perf_counter() - start)


def parallel_rate(target: Target, files: Sequence[bytes], clients: int = CLIENTS) -> float:
    """The same of several senders at once, each with its share."""
    shares = [files[k::clients] for k in range(clients)]
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda share: _send(target, share), shares))
    return len(files) / (time.perf_counter() - start)


def _send(target: Target, files: Sequence[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=300)
    for at in range(0, len(files), target.per_request):
        body = _body(target, files[at : at + target.per_request])
        connection.request("POST", target.path, body, {"Content-Type": _type(target), **target.headers})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{target.path} answered {answer.status}: {said[:300]!r}")
    connection.close()


def _type(target: Target) -> str:
    return STOW_TYPE if target.per_request > 1 else "application/dicom"


def _body(target: Target, files: Sequence[bytes]) -> bytes:
    if target.per_request == 1:
        return files[0]
    head = f"--{MARK}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join([part for file in files for part in (head, file, b"\r\n")] + [f"--{MARK}--".encode()])
