"""Tables that every room builds on: the audit trail, the outbox, and the base of all rows."""

from __future__ import annotations

import pgtrigger
from django.db import models

from core.identifiers import uuid7

APPEND_ONLY = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]


class Row(models.Model):
    """A row with a time-ordered key and the time of its making."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, editable=False)

    class Meta:
        abstract = True


class AuditEntry(Row):
    """Who looked at or changed what. Never changed, never removed: a database trigger refuses.

    Names are copied, so that the entry outlives the person; no patient's name or number stands here.
    """

    class Action(models.TextChoices):
        VIEW = "view", "viewed"
        CREATE = "create", "created"
        CHANGE = "change", "changed"
        DELETE = "delete", "deleted"
        SIGN_IN = "sign_in", "signed in"
        SIGN_OUT = "sign_out", "signed out"
        SIGN_IN_FAILED = "sign_in_failed", "failed to sign in"
        REFUSED = "refused", "was refused"

    person_id = models.UUIDField(null=True, blank=True)
    person_name = models.CharField(max_length=254, blank=True)
    site_id = models.UUIDField(null=True, blank=True, db_index=True)
    action = models.CharField(max_length=16, choices=Action)
    target_type = models.CharField(max_length=64, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    route = models.CharField(max_length=128, blank=True)
    fields = models.JSONField(default=list, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["target_type", "target_id"]),
            models.Index(fields=["person_id", "-created_at"]),
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return (
            f"{self.person_name or 'system'} {self.get_action_display()} {self.target_type} {self.target_id}"
        )


class OutboxMessage(Row):
    """A task that was promised in a transaction and not yet handed to the broker."""

    task = models.CharField(max_length=128)
    arguments = models.JSONField(default=dict)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["created_at"])]

    def __str__(self) -> str:
        return self.task
