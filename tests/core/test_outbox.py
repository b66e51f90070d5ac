"""Promises are kept whatever happens to the broker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from core import outbox
from core.identifiers import uuid7
from core.models import OutboxMessage


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What reached the broker."""
    messages: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        outbox.current_app,
        "send_task",
        lambda task, kwargs, **_: messages.append((task, kwargs)),
        raising=False,
    )
    return messages


@pytest.fixture
def lost_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(outbox.current_app, "send_task", refuse, raising=False)


@pytest.mark.django_db(transaction=True)
def test_a_message_leaves_after_the_commit_and_not_before(sent: list[Any]) -> None:
    with transaction.atomic():
        outbox.promise("rooms.task", study_id=uuid7())
        assert sent == []

    assert [task for task, _ in sent] == ["rooms.task"]
    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_was_rolled_back_is_never_sent(sent: list[Any]) -> None:
    with transaction.atomic():
        outbox.promise("rooms.task")
        transaction.set_rollback(True)

    assert sent == []
    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("lost_broker")
def test_a_lost_broker_delays_a_promise_and_does_not_break_it() -> None:
    with transaction.atomic():
        outbox.promise("rooms.task")

    assert OutboxMessage.objects.count() == 1


@pytest.mark.django_db
def test_the_flush_delivers_what_waited(sent: list[Any]) -> None:
    OutboxMessage.objects.create(task="rooms.old")
    OutboxMessage.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    OutboxMessage.objects.create(task="rooms.fresh")

    assert outbox.flush() == 1
    assert [task for task, _ in sent] == ["rooms.old"]
