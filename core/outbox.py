"""Tasks promised inside a transaction and sent after it; Redis may be lost at any moment."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from core.models import OutboxMessage

logger = logging.getLogger(__name__)

GRACE = timedelta(seconds=5)
BATCH = 200
BROKER_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}


def promise(task: str, **ids: UUID | str | None) -> OutboxMessage:
    """Promise a task by its dotted name; it is handed to the broker once the transaction has committed.

    Arguments are ids only: no patient data ever reaches the broker.
    """
    message = OutboxMessage.objects.create(
        task=task, arguments={name: None if value is None else str(value) for name, value in ids.items()}
    )
    transaction.on_commit(lambda: deliver(message))
    return message


def deliver(message: OutboxMessage) -> bool:
    """Hand one message to the broker; it stays in the outbox if the broker cannot be reached."""
    try:
        current_app.send_task(
            message.task, kwargs=message.arguments, retry=True, retry_policy=BROKER_RETRY, ignore_result=True
        )
    except (OperationalError, OSError) as error:
        logger.warning("outbox: %s waits for the broker (%s)", message.task, type(error).__name__)
        return False
    OutboxMessage.objects.filter(pk=message.pk).delete()
    return True


def flush() -> int:
    """Deliver what an earlier attempt could not; returns how many messages left the outbox."""
    sent = 0
    with transaction.atomic():
        waiting = OutboxMessage.objects.select_for_update(skip_locked=True).filter(
            created_at__lt=timezone.now() - GRACE
        )
        for message in waiting.order_by("created_at")[:BATCH]:
            if not deliver(message):
                break
            sent += 1
    return sent
