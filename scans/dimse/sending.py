"""Results on their way to the peers of a site: promised with the signature, tried again, logged."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from core.outbox import promise
from scans.dimse.carriers import DeliveryFailed, carrier_for
from scans.models import Delivery, Instance, Peer

if TYPE_CHECKING:
    from scans.models import Study

logger = logging.getLogger(__name__)

TASK = "scans.tasks.deliver_results"
RETRY_AFTER = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 240, 720, 1440))
"""Pauses between attempts: a peer may be away for two days."""
LEASE = timedelta(minutes=15)
"""What one attempt may take (the task's hard limit is ten minutes); after it another may try."""
UNEXPECTED = "An unexpected error; see the log of the worker."


@transaction.atomic
def send_results(study: Study, instances: Sequence[Instance]) -> None:
    """Promise objects of a study to every active peer of its site that receives results.

    What was promised to a peer before is not promised again; the transaction of the caller holds it together.
    """
    peers = list(Peer.objects.wanting_results_of(study.site_id))
    now = timezone.now()
    rows = [
        Delivery(site_id=study.site_id, study=study, peer=peer, instance=instance, next_attempt_at=now)
        for peer in peers
        for instance in instances
    ]
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    for peer in peers:
        promise(TASK, study_id=study.pk, peer_id=peer.pk)


def deliver(study_id: UUID, peer_id: UUID) -> int:
    """Send what is due of one study to one peer; returns how many objects the peer took."""
    waiting = _claim(study_id, peer_id)
    if not waiting:
        return 0
    peer = waiting[0].peer
    if not peer.active:
        outcomes: Mapping[UUID, str] = {row.pk: "The peer is switched off." for row in waiting}
    else:
        outcomes = _sent(peer, waiting)
    for row in waiting:
        _note(row, outcomes.get(row.pk, UNEXPECTED))
    return sum(not outcomes.get(row.pk, UNEXPECTED) for row in waiting)


def _claim(study_id: UUID, peer_id: UUID) -> list[Delivery]:
    """Take the due rows for this attempt: until the lease ends nobody else sends them."""
    now = timezone.now()
    with transaction.atomic():
        due = Delivery.objects.due(now).filter(study=study_id, peer=peer_id)
        claimed = list(due.select_for_update(skip_locked=True).values_list("pk", flat=True))
        Delivery.objects.filter(pk__in=claimed).update(next_attempt_at=now + LEASE)
    rows = Delivery.objects.filter(pk__in=claimed).select_related("peer", "instance__series__study")
    return list(rows.order_by("pk"))


def _sent(peer: Peer, waiting: Sequence[Delivery]) -> Mapping[UUID, str]:
    """For each delivery what went wrong, empty where nothing did."""
    outcomes: dict[UUID, str] = {}
    try:
        with carrier_for(peer, [row.instance for row in waiting]) as carrier:
            for row in waiting:
                outcomes[row.pk] = carrier.send(row.instance)
    except DeliveryFailed as failed:
        return {**{row.pk: failed.sentence for row in waiting}, **outcomes}
    except Exception:
        logger.exception("results could not be sent to peer %s", peer.pk)
    return outcomes


def _note(row: Delivery, error: str) -> None:
    """One row's outcome, past the audit trail: it is for what people do, this row is its own log."""
    now = timezone.now()
    attempts = row.attempts + 1
    changes: dict[str, object] = {"attempts": attempts, "last_error": error[:300]}
    if not error:
        changes |= {"state": Delivery.State.SENT, "sent_at": now}
    elif attempts > len(RETRY_AFTER):
        changes |= {"state": Delivery.State.GIVEN_UP}
    else:
        changes |= {"next_attempt_at": now + RETRY_AFTER[attempts - 1]}
    Delivery.objects.filter(pk=row.pk).update(**changes)
    if error:
        logger.warning("delivery %s, attempt %d: not sent", row.pk, attempts)


def promise_due() -> int:
    """Promise what waits for another attempt; returns for how many studies and peers."""
    due = Delivery.objects.due(timezone.now()).values_list("study", "peer").distinct()
    pairs = list(due[:200])
    with transaction.atomic():
        for study_id, peer_id in pairs:
            promise(TASK, study_id=study_id, peer_id=peer_id)
    return len(pairs)


def send_again(rows: Sequence[Delivery]) -> int:
    """Start over with deliveries that were given up, or hurry those that wait; returns how many."""
    pks = [row.pk for row in rows if row.state != Delivery.State.SENT]
    Delivery.objects.filter(pk__in=pks).update(
        state=Delivery.State.WAITING, attempts=0, next_attempt_at=timezone.now()
    )
    promise_due()
    return len(pks)
