"""Waiting until studies have been read, and what was found in them."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from lungportal_send.portal import Portal, Stop

ENDED = ("ready", "failed", "not_read")
LOOK_EVERY_S = 2.0


def findings_of(portal: Portal, uids: list[str], at_most_s: float) -> list[dict[str, Any]]:
    """Say that the studies are complete, wait for each, and return it with its findings.

    A study that is not read in time comes with the status that it had last.
    """
    for uid in uids:
        portal.request("POST", f"/api/v1/studies/{quote(uid)}/complete/")
    deadline = time.monotonic() + at_most_s
    return [_study(portal, uid, deadline) for uid in uids]


def _study(portal: Portal, uid: str, deadline: float) -> dict[str, Any]:
    while True:
        found = list(portal.pages(f"/api/v1/studies/?study_instance_uid={quote(uid)}"))
        if not found:
            raise Stop(f"The study {uid} was stored, and this token may not see it.")
        study = found[0]
        if study["status"] in ENDED or time.monotonic() > deadline or portal.stopped.is_set():
            break
        portal.say(f"{study['status']} {study['progress']:.0%}")
        portal.stopped.wait(LOOK_EVERY_S)
    rows = portal.pages(f"/api/v1/findings/?study_instance_uid={quote(uid)}&page_size=200")
    wanted = ("study_instance_uid", "status", "reason", "scan_probability")
    return {**{name: study.get(name) for name in wanted}, "findings": list(rows)}
