"""What arrived and what became of it: uploads, and objects kept aside."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.models import Site
from core.models import Row
from scans.models.studies import Instance, Study
from scans.querysets import QuarantineQuerySet, UploadQuerySet


class Quarantined(Row):
    """An object that contradicts what is stored; kept aside until a person has looked at it."""

    class Reason(models.TextChoices):
        OTHER_BYTES = "other_bytes", "same instance with other content"
        OTHER_PATIENT = "other_patient", "same study with another patient"
        OTHER_STUDY = "other_study", "same series in another study"
        OTHER_NAME = "other_name", "same patient number with another name or birth date"

    class Decision(models.TextChoices):
        KEEP_OLD = "keep_old", "the stored object stays, the newcomer is kept aside"
        TAKE_NEW = "take_new", "the newcomer takes its place, the stored object is kept aside"
        KEEP_BOTH = "keep_both", "both are stored, the newcomer under new UIDs"
        REJECT = "reject", "the newcomer is thrown away"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="quarantined")
    study = models.ForeignKey(Study, null=True, on_delete=models.CASCADE, related_name="quarantined")
    sop_instance_uid = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=16, choices=Reason)
    resolved_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=16, choices=Decision, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    kept_as = models.CharField("SOP instance UID of the copy", max_length=64, blank=True)

    objects = QuarantineQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "quarantined"
        constraints = [
            models.UniqueConstraint(fields=["site", "sop_instance_uid", "sha256"], name="quarantined_once")
        ]

    def __str__(self) -> str:
        return f"{self.sop_instance_uid}: {self.get_reason_display()}"


class Upload(Row):
    """What one person or program sent in one go, with an outcome for each file."""

    class Road(models.TextChoices):
        BROWSER = "browser"
        REST = "rest"
        STOW = "stow"
        COMMAND = "command"
        DIMSE = "dimse", "DICOM"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="uploads")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="uploads"
    )
    peer = models.ForeignKey(
        "scans.Peer", null=True, blank=True, on_delete=models.PROTECT, related_name="uploads"
    )
    road = models.CharField(max_length=8, choices=Road)
    stored = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)

    objects = UploadQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.stored} stored, {self.duplicates} duplicates, {self.refused} refused"


class UploadedFile(Row):
    """The outcome of one file of an upload. File names stay out: they often hold a patient's name."""

    class Outcome(models.TextChoices):
        STORED = "stored"
        DUPLICATE = "duplicate"
        QUARANTINED = "quarantined"
        REFUSED = "refused"

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="files")
    position = models.PositiveIntegerField()
    outcome = models.CharField(max_length=12, choices=Outcome)
    code = models.CharField(max_length=32, blank=True)
    sentence = models.CharField(max_length=300, blank=True)
    instance = models.ForeignKey(Instance, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.position}: {self.outcome}"
