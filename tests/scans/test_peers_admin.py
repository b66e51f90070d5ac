"""Peers and unknown callers in the admin console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Person, Site
from core.models import AuditEntry
from scans.models import Peer, UnknownCaller

pytestmark = pytest.mark.django_db

CALLERS = "/admin/scans/unknowncaller/"
PEERS = "/admin/scans/peer/"


@pytest.fixture
def browser(administrator: Person, client_of: Callable[[Person], Client]) -> Client:
    administrator.is_staff = True
    administrator.save()
    return client_of(administrator)


@pytest.fixture
def caller(db: None) -> UnknownCaller:
    return UnknownCaller.objects.create(
        ae_title="CT7", address="10.0.0.7", called_ae_title="LUNGPORTAL", last_seen_at=timezone.now()
    )


def test_one_click_makes_a_peer_of_an_unknown_caller(
    browser: Client, site: Site, caller: UnknownCaller
) -> None:
    page = browser.get(CALLERS).content.decode()
    address = f"{CALLERS}{caller.pk}/register/"
    assert f'formaction="{address}" name="site" value="{site.pk}"' in page

    answer = browser.post(address, {"site": str(site.pk)})

    assert answer.status_code == 302
    peer = Peer.objects.get()
    assert (peer.site, peer.ae_title, peer.host) == (site, "CT7", "10.0.0.7")
    assert (peer.may_send, peer.active, peer.receives_results) == (True, True, False)
    assert not UnknownCaller.objects.exists()
    assert AuditEntry.objects.filter(target_type="scans.peer", action="create").exists()


def test_a_peer_that_was_switched_off_is_switched_on_again(
    browser: Client, site: Site, caller: UnknownCaller
) -> None:
    Peer.objects.create(site=site, name="CT", ae_title="CT7", host="10.0.0.7", active=False)

    browser.post(f"{CALLERS}{caller.pk}/register/", {"site": str(site.pk)})

    assert Peer.objects.get().active


@pytest.mark.parametrize("chosen", ["", "nonsense", "theirs"])
def test_nobody_registers_at_a_site_of_others(
    browser: Client, other_site: Site, caller: UnknownCaller, chosen: str
) -> None:
    site = str(other_site.pk) if chosen == "theirs" else chosen

    answer = browser.post(f"{CALLERS}{caller.pk}/register/", {"site": site})

    assert answer.status_code == 404
    assert not Peer.objects.exists()


def test_a_link_registers_nobody(browser: Client, site: Site, caller: UnknownCaller) -> None:
    assert browser.get(f"{CALLERS}{caller.pk}/register/", {"site": str(site.pk)}).status_code == 405
    assert not Peer.objects.exists()


@pytest.mark.parametrize("role", ["radiologist", "technician"])
def test_only_administrators_register(
    role: str, request: pytest.FixtureRequest, client_of: Callable[[Person], Client], caller: UnknownCaller
) -> None:
    person = request.getfixturevalue(role)
    person.is_staff = True
    person.save()

    client_of(person).post(f"{CALLERS}{caller.pk}/register/", {"site": str(person.memberships.get().site_id)})

    assert not Peer.objects.exists()


def peer_form(site: Site, **more: Any) -> dict[str, Any]:
    return {
        "site": str(site.pk),
        "name": "PACS",
        "ae_title": "PACS",
        "may_send": "on",
        "active": "on",
        **more,
    }


def test_the_authorization_of_a_peer_is_written_and_never_shown(browser: Client, site: Site) -> None:
    secret = "Bearer 0123456789"
    form = peer_form(site, stow_url="https://pacs.example/dicom-web", new_authorization=secret)
    assert browser.post(f"{PEERS}add/", form).status_code == 302
    peer = Peer.objects.get()

    page = browser.get(f"{PEERS}{peer.pk}/change/").content.decode()
    browser.post(f"{PEERS}{peer.pk}/change/", peer_form(site, stow_url="https://pacs.example/dicom-web"))

    peer.refresh_from_db()
    assert (peer.stow_authorization, secret in page) == (secret, False)
    browser.post(f"{PEERS}{peer.pk}/change/", peer_form(site, new_authorization="-"))
    peer.refresh_from_db()
    assert peer.stow_authorization == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"ae_title": "A\\B"},
        {"ae_title": "SEVENTEEN-LETTERS"},
        {"stow_url": "ftp://pacs"},
        {"stow_url": "file:///etc/passwd"},
        {"port": "70000"},
        {"receives_results": "on"},
        {"new_authorization": "Bearer a\r\nHost: b"},
    ],
)
def test_a_peer_that_cannot_be_is_refused(browser: Client, site: Site, wrong: dict[str, str]) -> None:
    assert browser.post(f"{PEERS}add/", peer_form(site, **wrong)).status_code == 200
    assert not Peer.objects.exists()


def test_the_same_node_is_known_to_a_site_once(browser: Client, site: Site) -> None:
    browser.post(f"{PEERS}add/", peer_form(site))

    again = browser.post(f"{PEERS}add/", peer_form(site))

    assert "knows a node of this AE title" in again.content.decode()
    assert Peer.objects.count() == 1
