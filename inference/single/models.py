"""The table of single images. No name, number or date of a patient stands here or in the stored file."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.models import Site
from core.models import Row
from inference.single.querysets import SingleImageQuerySet


class SingleImage(Row):
    """One picture, and what was said of it; removed with its file after a day."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    stored = models.CharField(max_length=200)
    rows = models.PositiveIntegerField()
    columns = models.PositiveIntegerField()
    in_hounsfield = models.BooleanField(default=False)
    attempt = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    answer = models.JSONField(default=dict, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    objects = SingleImageQuerySet.as_manager()

    class Meta:
        app_label = "inference"
        indexes = [
            models.Index(fields=["person", "-created_at"], name="single_image_of_person"),
            models.Index(
                fields=["asked_at"], name="single_image_waiting", condition=models.Q(state="waiting")
            ),
        ]

    def __str__(self) -> str:
        return f"Image of {self.rows} x {self.columns} pixels, {self.get_state_display()}"
