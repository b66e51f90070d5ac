"""Groups of files to the portal, several at a time, and what it answers for each file."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from lungportal_send.bodies import Body, Changed, archive, fields, instances
from lungportal_send.files import Local, groups
from lungportal_send.portal import Answer, Away, Portal, Stop
from lungportal_send.state import FAILED, REFUSED, STORED, Outcome

STUDIES, FAILED_SOP, REFERENCED_SOP = "/dicomweb/studies", "00081198", "00081199"
SOP_UID, RETRIEVE_URL, REASON, COMMENT = "00081155", "00081190", "00081197", "00000902"
OUT_OF_RESOURCES = 0xA700
CHANGED = Outcome(FAILED, "CHANGED", "The file changed while it was sent, or cannot be read.")
Answers = list[tuple[Local, Outcome]]


class Sender:
    """Sends groups in so many threads; `answered` is called for each group as it is confirmed."""

    def __init__(self, portal: Portal, site: str, answered: Callable[[Answers], None]) -> None:
        self._portal, self._site, self._answered = portal, site, answered
        self._query = f"?site={quote(site)}" if site else ""
        self._stop: Stop | None = None

    def send(self, files: Iterable[Local], parallel: int) -> None:
        """Send them all.

        Raises
        ------
        Stop : sending had to end; what was answered before has been told.
        """
        waiting: queue.SimpleQueue[list[Local]] = queue.SimpleQueue()
        for group in groups(files):
            waiting.put(group)
        threads = [threading.Thread(target=self._work, args=(waiting,), daemon=True) for _ in range(parallel)]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # so that Ctrl+C is heard
        if self._stop is not None:
            raise self._stop

    def _work(self, waiting: queue.SimpleQueue[list[Local]]) -> None:
        try:
            while not self._portal.stopped.is_set():
                self._answered(self._send(waiting.get_nowait()))
        except queue.Empty:
            return
        except Stop as stop:
            self._end(stop)
        except Exception as error:  # a thread must not end unseen
            self._end(Stop(f"Sending broke off ({type(error).__name__}: {error})."))

    def _end(self, stop: Stop) -> None:
        self._stop = self._stop or stop
        self._portal.stopped.set()

    def _send(self, group: list[Local]) -> Answers:
        if group[0].is_zip:
            return [(group[0], self._send_zip(group[0]))]
        body: Body | None = None

        def fresh() -> Body:
            nonlocal body
            body = instances(group)
            return body

        try:
            answer = self._portal.request("POST", STUDIES + self._query, fresh)
        except Changed as changed:
            rest = [one for one in group if one != changed.local]
            return [(changed.local, CHANGED), *(self._send(rest) if rest else [])]
        except Away as away:
            return [(one, Outcome(FAILED, "AWAY", str(away))) for one in group]
        told = [(one, _outcome(answer, one, alone=len(group) == 1)) for one in group]
        hashes = body.sha256 if body else {}
        known = [(one, _with_hash(outcome, hashes.get(one, ""))) for one, outcome in told if outcome]
        return known + [pair for one, outcome in told if outcome is None for pair in self._send([one])]

    def _send_zip(self, local: Local) -> Outcome:
        try:
            answer = self._portal.request("POST", "/api/v1/uploads/", lambda: archive(local, self._site))
        except Changed:
            return CHANGED
        except Away as away:
            return Outcome(FAILED, "AWAY", str(away))
        lines = answer.body.get("files") if isinstance(answer.body, dict) else None
        if not lines:
            return _unanswered(answer)
        kept = [line for line in lines if line["outcome"] in ("stored", "duplicate")]
        studies = tuple(sorted({str(line["study_instance_uid"]) for line in kept}))
        if len(kept) == len(lines):
            return Outcome(STORED, studies=studies)
        bad = next(line for line in lines if line not in kept)
        sentence = f"{len(lines) - len(kept)} of {len(lines)} files in it: {bad['sentence']}"
        return Outcome(REFUSED, bad["code"], sentence, studies=studies)


def _outcome(answer: Answer, local: Local, *, alone: bool) -> Outcome | None:
    """What the answer says of a file; None where that cannot be told, and it must be sent by itself.

    Items of the answer name SOP instance UIDs, and a file whose header names none has no item of its own.
    """
    body = answer.body if isinstance(answer.body, dict) else {}
    stored, failed = fields(body, REFERENCED_SOP), fields(body, FAILED_SOP)
    if not stored and not failed:
        return _unanswered(answer) if alone else None
    mine = [one for one in stored if alone or (local.uid and fields(one, SOP_UID) == [local.uid])]
    not_mine = [one for one in failed if alone or (local.uid and fields(one, SOP_UID) == [local.uid])]
    if mine and not not_mine:
        return Outcome(STORED, studies=_studies(mine))
    if not_mine and not mine:
        return _refusal(not_mine[0])
    return Outcome(STORED, studies=_studies(stored)) if not failed else None


def _unanswered(answer: Answer) -> Outcome:
    kind = FAILED if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR else REFUSED
    return Outcome(kind, f"HTTP_{answer.status}", answer.sentence)


def _refusal(item: dict[str, Any]) -> Outcome:
    comment = str((fields(item, COMMENT) or [""])[0])
    code, _, sentence = comment.partition(": ")
    reason = (fields(item, REASON) or [0])[0]
    kind = FAILED if reason == OUT_OF_RESOURCES and code != "TOO_LARGE" else REFUSED
    return Outcome(kind, code or f"0x{reason:04X}", sentence)


def _studies(items: list[dict[str, Any]]) -> tuple[str, ...]:
    urls = [urlsplit(str(url)).path.split("/") for one in items for url in fields(one, RETRIEVE_URL)]
    return tuple(sorted({parts[parts.index("studies") + 1] for parts in urls if "studies" in parts[:-1]}))


def _with_hash(outcome: Outcome, sha256: str) -> Outcome:
    return Outcome(outcome.outcome, outcome.code, outcome.sentence, sha256, outcome.studies)
