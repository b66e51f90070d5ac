"""How long and how much a site keeps: studies that are to be deleted, and the quota."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Site
from core.models import Row
from scans.models.studies import Study
from scans.querysets import DeletionQuerySet


class Deletion(Row):
    """A study that an administrator has asked to delete: hidden at once, gone after the grace period.

    The row outlives the study, without anything that tells the patient.
    """

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="deletions")
    study = models.ForeignKey(Study, null=True, on_delete=models.SET_NULL, related_name="deletions")
    study_instance_uid = models.CharField(max_length=64)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300)
    due_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    instances = models.PositiveIntegerField(default=0)
    size_bytes = models.PositiveBigIntegerField(default=0)

    objects = DeletionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["study"],
                condition=Q(undone_at=None, done_at=None),
                name="one_open_deletion_of_a_study",
                violation_error_message="The study is already marked for deletion.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.study_instance_uid}: {self.state}"

    @property
    def state(self) -> str:
        if self.undone_at is not None:
            return "undone"
        return "waiting" if self.done_at is None else "deleted"


class StorageQuota(Row):
    """How many bytes of instances a site may keep; a site without a row has no limit but the disk."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="storage_quota")
    limit_bytes = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.site}: {self.limit_bytes / 1e9:.1f} GB"
