"""Studies, series and instances as they came, and the volumes that are built from them."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from accounts.models import Site
from core.models import Row
from patients.models import Patient
from scans.querysets import (
    InstanceQuerySet,
    SeriesQuerySet,
    StudyQuerySet,
    VolumeQuerySet,
)


class Study(Row):
    """One examination of a patient, with what the worklist shows of it.

    `status` says how far the machine is; `review` how far the people are. `priority` orders the worklist:
    the scan probability where there is one, so that the most suspicious unread study comes first.
    """

    class Status(models.TextChoices):
        RECEIVED = "received", "arriving"
        WAITING = "waiting", "waiting"
        READING = "reading", "reading"
        READY = "ready", "ready"
        FAILED = "failed", "failed"
        NOT_READ = "not_read", "not read"

    class Review(models.TextChoices):
        UNREAD = "unread", "unread"
        DRAFT = "draft", "in progress"
        FINAL = "final", "signed"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="studies")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="studies")
    study_instance_uid = models.CharField(max_length=64)
    accession_number = models.CharField(max_length=64, blank=True)
    study_id = models.CharField(max_length=64, blank=True)
    description = models.CharField(max_length=256, blank=True)
    referring_physician_name = models.CharField(max_length=324, blank=True)
    institution_name = models.CharField(max_length=256, blank=True)
    started_at = models.DateTimeField("date of the study", null=True, blank=True)
    patient_age = models.PositiveSmallIntegerField(null=True, blank=True)
    last_instance_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    hidden_at = models.DateTimeField("marked for deletion", null=True, blank=True)

    deidentified = models.BooleanField("copy without identity, for research", default=False)

    status = models.CharField(max_length=16, choices=Status, default=Status.RECEIVED)
    reason = models.CharField(max_length=500, blank=True)
    stage = models.CharField(max_length=64, blank=True)
    progress = models.FloatField(default=0)
    read_series = models.ForeignKey(
        "Series", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    series_choice = models.CharField(max_length=500, blank=True)
    scan_probability = models.FloatField(null=True, blank=True)
    priority = models.FloatField(default=0)
    finding_count = models.PositiveSmallIntegerField(default=0)
    lead_finding = models.CharField(max_length=120, blank=True)
    warning_count = models.PositiveSmallIntegerField(default=0)
    review = models.CharField(max_length=8, choices=Review, default=Review.UNREAD)

    objects = StudyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "studies"
        constraints = [
            models.UniqueConstraint(fields=["site", "study_instance_uid"], name="study_uid_once_per_site"),
            models.CheckConstraint(
                condition=Q(progress__gte=0) & Q(progress__lte=1), name="study_progress_is_a_share"
            ),
        ]
        indexes = [
            models.Index(fields=["study_instance_uid"]),
            models.Index(fields=["accession_number"], name="study_accession"),
            models.Index(F("site"), F("review"), F("priority").desc(), F("id").desc(), name="worklist_order"),
            models.Index(F("site"), F("started_at").desc(), name="worklist_date"),
            models.Index(
                fields=["site", "status", "review"],
                name="worklist_status",
                # What the worklist asks of each study, so that its counts need the index alone.
                condition=Q(hidden_at__isnull=True, deidentified=False),
            ),
            models.Index(fields=["patient", "-started_at"], name="patient_studies"),
            models.Index(
                fields=["last_instance_at"], name="study_not_complete", condition=Q(completed_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.description or self.study_instance_uid


class Series(Row):
    """One series of a study, with the outcome of the acquisition checks once it is complete."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="series")
    series_instance_uid = models.CharField(max_length=64)
    series_number = models.IntegerField(null=True, blank=True)
    modality = models.CharField(max_length=16, blank=True)
    description = models.CharField(max_length=256, blank=True)
    slice_thickness_mm = models.FloatField(null=True, blank=True)
    convolution_kernel = models.CharField(max_length=64, blank=True)
    instance_count = models.PositiveIntegerField(default=0)
    size_bytes = models.PositiveBigIntegerField(default=0)
    checks = models.JSONField(default=list, blank=True)
    refusal = models.CharField("why it is not read", max_length=500, blank=True)

    objects = SeriesQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "series"
        ordering = ["series_number", "id"]
        constraints = [
            models.UniqueConstraint(fields=["site", "series_instance_uid"], name="series_uid_once_per_site")
        ]

    def __str__(self) -> str:
        return f"{self.series_number or '–'} {self.description or self.modality}"


class Instance(Row):
    """One DICOM object, stored under the sha256 of its bytes."""

    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, related_name="+", db_index=False
    )  # the constraint below serves
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="instances")
    sop_instance_uid = models.CharField(max_length=64)
    sop_class_uid = models.CharField(max_length=64)
    transfer_syntax_uid = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    instance_number = models.IntegerField(null=True, blank=True)
    position = models.FloatField("mm along the normal", null=True, blank=True)
    header = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    objects = InstanceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "sop_instance_uid"], name="instance_uid_once_per_site")
        ]
        indexes = [models.Index(fields=["sha256"], name="instance_by_content")]  # `db_index` would make two

    def __str__(self) -> str:
        return self.sop_instance_uid


class Volume(Row):
    """A series as one block of Hounsfield units; derived, never changed, can always be built again."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="volumes")
    digest = models.CharField(max_length=64, db_index=True)
    shape = ArrayField(models.PositiveIntegerField(), size=3)
    spacing_mm = ArrayField(models.FloatField(), size=3)
    origin_mm = ArrayField(models.FloatField(), size=3)
    direction = ArrayField(models.FloatField(), size=9)
    sop_instance_uids = ArrayField(models.CharField(max_length=64))
    file = models.CharField(max_length=128)
    checks = models.JSONField(default=list)

    objects = VolumeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "digest"], name="volume_once")]

    def __str__(self) -> str:
        return f"{' x '.join(map(str, self.shape))} voxels"
