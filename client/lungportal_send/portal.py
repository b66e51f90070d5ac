"""The portal at the other end: requests with a token, tried again when it is away or busy."""

from __future__ import annotations

import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from lungportal_send.bodies import Body

TIMEOUT_S = 300
BUSY = (429, 502, 503, 504)
LONGEST_PAUSE_S = 60.0
LOST = (OSError, http.client.HTTPException)


class Stop(Exception):
    """Nothing more can be sent; the text says why and what to do."""


class Away(Exception):
    """The portal could not be reached, or was busy, for as long as patience lasts."""


@dataclass(frozen=True)
class Answer:
    """A status with its body as JSON, {} where it is none."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        detail = self.body.get("detail") if isinstance(self.body, dict) else None
        return str(detail or f"The portal answered with status {self.status}.")


class Portal:
    """One portal and one token; each thread has a connection of its own."""

    def __init__(self, url: str, token: str, *, patience_s: float, ca_file: str | None = None) -> None:
        parts = urlsplit(url if "//" in url else f"https://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Stop(f"{url} is no address of a portal. Give it as https://portal.example.")
        self._address, self._base = (parts.hostname, parts.port), parts.path.rstrip("/")
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        self._token, self._patience_s, self._own = token, patience_s, threading.local()
        self.stopped = threading.Event()
        self.say: Callable[[str], None] = lambda sentence: None

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def request(self, method: str, path: str, body: Callable[[], Body] | None = None) -> Answer:
        """One request, repeated with growing pauses while the portal is away or busy.

        Raises
        ------
        Away : it stayed so, or the program was told to stop.
        Stop : the token or the address is wrong.
        Changed : a file changed while it was sent.
        """
        deadline, pause = time.monotonic() + self._patience_s, 1.0
        while True:
            try:
                answer = self._once(method, path, body() if body else None)
                if answer.status not in BUSY:
                    return _usable(answer)
                why, wanted = answer.sentence, _seconds(answer.headers.get("retry-after", ""))
            except ssl.SSLCertVerificationError as error:
                raise Stop(
                    f"The certificate of the portal is not trusted ({error.verify_message})."
                ) from error
            except LOST as error:
                self._drop()
                why, wanted = f"The portal cannot be reached ({type(error).__name__}).", None
            rest = wanted if wanted is not None else pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads
            if self.stopped.is_set() or time.monotonic() + rest > deadline:
                raise Away(why)
            self.say(f"{why} Trying again in {rest:.0f} s.")
            self.stopped.wait(rest)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Rows of a list, page by page."""
        following: str | None = path
        while following:
            page = self.get(following)
            if page.status != http.client.OK:
                raise Stop(page.sentence)
            yield from page.body["results"]
            parts = urlsplit(page.body.get("next") or "")
            following = f"{parts.path.removeprefix(self._base)}?{parts.query}" if parts.path else None

    def _once(self, method: str, path: str, body: Body | None) -> Answer:
        connection = self._connection()
        headers = {
            "Authorization": f"Token {self._token}",
            "Accept": "application/dicom+json, application/json",
        }
        if body is not None:
            headers |= {"Content-Type": body.content_type, "Content-Length": str(body.length)}
        elif method == "POST":
            headers["Content-Length"] = "0"
        try:
            connection.request(method, f"{self._base}{path}", body, headers)
        except (BrokenPipeError, ConnectionResetError):
            # A portal that refuses early (no token, no space) may have answered before it hung up.
            with suppress(*LOST):
                return self._read(connection, hung_up=True)
            raise
        except BaseException:
            self._drop()  # half a request lies on this connection
            raise
        return self._read(connection)

    def _read(self, connection: http.client.HTTPConnection, *, hung_up: bool = False) -> Answer:
        response = connection.getresponse()
        data = response.read()
        if hung_up:
            self._drop()
        try:
            body = json.loads(data) if data else {}
        except ValueError:
            body = {}
        return Answer(response.status, body, {name.lower(): value for name, value in response.getheaders()})

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = (
                http.client.HTTPSConnection(*self._address, timeout=TIMEOUT_S, context=self._tls)
                if self._tls
                else http.client.HTTPConnection(*self._address, timeout=TIMEOUT_S)
            )
            self._own.connection = connection
        return connection

    def _drop(self) -> None:
        connection = getattr(self._own, "connection", None)
        if connection is not None:
            connection.close()
        self._own.connection = None


def _usable(answer: Answer) -> Answer:
    """The answer, unless it says that every further request would fare the same."""
    if answer.status in (401, 403):
        raise Stop(f"{answer.sentence} Check the token and the site.")
    if answer.status in (301, 302, 307, 308):
        raise Stop(f"The portal sends on to {answer.headers.get('location')}: use that address.")
    if answer.status == 507:
        raise Stop(answer.sentence)
    return answer


def _seconds(text: str) -> float | None:
    return min(float(text), 10 * LONGEST_PAUSE_S) if text.isdecimal() else None
