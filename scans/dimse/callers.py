"""Whose call it is: a peer that somebody registered, or nobody we know."""

from __future__ import annotations

import logging
import socket
from ipaddress import IPv6Address, ip_address

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from scans.models import Peer, UnknownCaller

logger = logging.getLogger(__name__)

MOST_UNKNOWN = 500
"""Rows of unknown callers; the longest silent ones make room, so that a scan of the port fills no table."""


def peer_calling(ae_title: str, called: str, address: str) -> Peer | None:
    """The one peer that a call comes from; None if there is none, or if it could be one of several sites.

    A peer with an address is nearer than one without, then one that names our title.
    """
    known = Peer.objects.calling_as(ae_title).select_related("site").order_by("pk")
    fitting = [p for p in known if p.called_ae_title in ("", called) and _comes_from(p.host, address)]
    nearness = [(bool(p.host), bool(p.called_ae_title)) for p in fitting]
    nearest = [p for p, near in zip(fitting, nearness, strict=True) if near == max(nearness)]
    if len({p.site_id for p in nearest}) > 1:
        logger.warning("a call could come from nodes of several sites; give them addresses or titles to call")
        return None
    return nearest[0] if nearest else None


def note_unknown(ae_title: str, called: str, address: str) -> None:
    """Remember who was rejected, for the page where an administrator may register it."""
    now = timezone.now()
    with transaction.atomic():
        row, made = UnknownCaller.objects.get_or_create(
            ae_title=ae_title,
            address=str(plain(address)),
            called_ae_title=called,
            defaults={"last_seen_at": now},
        )
        if not made:
            UnknownCaller.objects.filter(pk=row.pk).update(count=F("count") + 1, last_seen_at=now)
            return
        newest = UnknownCaller.objects.order_by("-last_seen_at", "-pk").values("pk")[:MOST_UNKNOWN]
        UnknownCaller.objects.exclude(pk__in=list(newest.values_list("pk", flat=True))).delete()


def plain(address: str) -> object:
    """An IP address; one of IPv4 that came over an IPv6 socket is IPv4 again."""
    parsed = ip_address(address.split("%", maxsplit=1)[0])
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


def _comes_from(host: str, address: str) -> bool:
    """Whether the address is one of the host's; a peer without a host calls from anywhere."""
    if not host:
        return True
    try:
        known = {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    return plain(address) in {plain(one) for one in known}
