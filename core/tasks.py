"""Background upkeep that belongs to no single room."""

from __future__ import annotations

from celery import shared_task

from core import outbox


@shared_task(name="core.tasks.flush_outbox")
def flush_outbox() -> int:
    return outbox.flush()
