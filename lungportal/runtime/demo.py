"""The demo of a first start: one site, four accounts, five synthetic studies sent in by the front door."""

from __future__ import annotations

import http.client
import json
import secrets
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from django.db import transaction

from accounts.models import Membership, Person, Site
from accounts.tokens import create_token
from lungportal.runtime.state import write_private
from scans.dicom.phantom import demo_specs, make_phantom, study_uid, write_dicom

SITE = ("north", "North Clinic")
ROLES = {
    "admin@demo.local": ("administrator", "A. Admin"),
    "radiologist@demo.local": ("radiologist", "R. Reader"),
    "technician@demo.local": ("technician", "T. Technician"),
    "referrer@demo.local": ("referrer", "F. Referrer"),
}
BATCH = 25
TIMEOUT_S = 120
Say = Callable[[str], None]


class SendFailed(Exception):
    """The portal did not take an image of the demo."""


@transaction.atomic
def make_accounts(passwords_file: Path) -> None:
    """Make the site and whichever of the accounts are missing; random passwords go to a private file."""
    site, _ = Site.objects.get_or_create(code=SITE[0], defaults={"name": SITE[1]})
    passwords = json.loads(passwords_file.read_text()) if passwords_file.exists() else {}
    for email, (role, name) in ROLES.items():
        if Person.objects.filter(email=email).exists():
            continue
        passwords[email] = secrets.token_urlsafe(12)
        administers = role == Membership.Role.ADMINISTRATOR
        person = Person.objects.create_user(
            email, passwords[email], name=name, is_staff=administers, is_superuser=administers
        )
        Membership.objects.create(person=person, site=site, role=role)
    write_private(passwords_file, json.dumps(passwords, indent=1))


def send_studies(url: str, say: Say) -> None:
    """Make each phantom, write it as DICOM, send it by STOW-RS, and say that it is complete."""
    token = create_token(Person.objects.get(email="technician@demo.local"))
    for study in demo_specs():
        with tempfile.TemporaryDirectory(prefix="lungportal-demo-") as folder:
            say(f"making the phantom of {study.study_date}")
            files = write_dicom(make_phantom(study.phantom), Path(folder), study)
            send_files(url, token, files)
            say(f"sent {len(files)} images")
            _complete(url, token, study_uid(study))


def send_files(url: str, token: str, files: list[Path]) -> None:
    """Send DICOM files by STOW-RS, some at a time.

    Raises
    ------
    SendFailed : with the answer, if one is not stored.
    """
    for start in range(0, len(files), BATCH):
        boundary = uuid.uuid4().hex
        parts = [_part(path.read_bytes(), boundary) for path in files[start : start + BATCH]]
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        _post(url, "/dicomweb/studies", token, body, kind)


def _part(data: bytes, boundary: str) -> bytes:
    return f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + data + b"\r\n"


def _complete(url: str, token: str, study_instance_uid: str) -> None:
    _post(url, f"/api/v1/studies/{study_instance_uid}/complete/", token, b"{}", "application/json")


def _post(url: str, path: str, token: str, body: bytes, content_type: str) -> None:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=TIMEOUT_S)
    headers = {"Authorization": f"Token {token}", "Content-Type": content_type}
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read(500).decode("utf-8", "replace")
    finally:
        connection.close()
    if answer.status >= 300:
        raise SendFailed(f"{path} answered {answer.status}: {text}")
