"""What people decide about findings, and the reports that they sign."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import Site
from core.models import APPEND_ONLY, Row
from inference.models import Finding
from reports.querysets import (
    AddendumQuerySet,
    DecisionQuerySet,
    ReportQuerySet,
    ReportVersionQuerySet,
    WantedResultsQuerySet,
)
from scans.models import Study


class Decision(Row):
    """What a person decided about a finding, or a finding that a person added. Never changed.

    The newest decision about a finding counts; a later one takes the place of an earlier one, and both stay.
    An added nodule is a decision without a finding; its later corrections point to it with `about`.
    """

    class Kind(models.TextChoices):
        ACCEPT = "accept", "accepted"
        REJECT = "reject", "rejected"
        CORRECT = "correct", "corrected"
        ADD = "add", "added"

    class Reason(models.TextChoices):
        VESSEL = "vessel", "vessel"
        SCAR = "scar", "scar or atelectasis"
        PLEURA = "pleura", "pleura or fissure"
        LYMPH_NODE = "lymph_node", "lymph node"
        CALCIFIED = "calcified", "benign calcification"
        ARTEFACT = "artefact", "artefact"
        OTHER = "other", "other"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="decisions")
    finding = models.ForeignKey(
        Finding, null=True, blank=True, on_delete=models.CASCADE, related_name="decisions"
    )
    about = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="later")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind)
    reason = models.CharField(max_length=12, choices=Reason, blank=True)
    note = models.CharField(max_length=500, blank=True)
    long_axis_mm = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0.5), MaxValueValidator(300)]
    )
    short_axis_mm = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0.5), MaxValueValidator(300)]
    )
    type = models.CharField(max_length=10, choices=Finding.Type, blank=True)
    location = models.CharField(max_length=64, blank=True)
    center_mm = ArrayField(models.FloatField(), size=3, null=True, blank=True)
    slice_index = models.PositiveIntegerField(null=True, blank=True)

    objects = DecisionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="reject") | ~Q(reason=""),
                name="rejection_has_a_reason",
                violation_error_message="Say why this finding is rejected.",
            ),
            models.CheckConstraint(
                condition=Q(kind="add", finding__isnull=True) | ~Q(kind="add"), name="added_has_no_finding"
            ),
            models.CheckConstraint(
                condition=Q(short_axis_mm__isnull=True) | Q(short_axis_mm__lte=models.F("long_axis_mm")),
                name="short_axis_is_the_shorter",
                violation_error_message="The short axis cannot be longer than the long axis.",
            ),
        ]
        indexes = [models.Index(fields=["study", "id"])]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return self.get_kind_display()


class Report(Row):
    """The report of one study: a draft until it is signed, then never edited."""

    class State(models.TextChoices):
        DRAFT = "draft"
        PRELIMINARY = "preliminary"
        FINAL = "final"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="reports")
    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="report")
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    revision = models.PositiveIntegerField(default=0)
    signed_at = models.DateTimeField(null=True, blank=True)
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    final_version = models.ForeignKey(
        "ReportVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    editing_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    editing_at = models.DateTimeField(null=True, blank=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="final")
                | Q(signed_at__isnull=False, signed_by__isnull=False, final_version__isnull=False),
                name="final_report_is_signed",
            )
        ]
        triggers = [
            pgtrigger.Protect(
                name="final_is_final",
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Q(old__state="final"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()} report"


class ReportVersion(Row):
    """One saved state of a report's text; append-only."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="versions")
    revision = models.PositiveIntegerField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    indication = models.TextField(blank=True)
    comparison = models.TextField(blank=True)
    technique = models.TextField(blank=True)
    findings = models.TextField(blank=True)
    impression = models.TextField(blank=True)
    recommendation = models.TextField(blank=True)
    nodules = models.JSONField("findings as decided when this was saved", default=list)
    software = models.JSONField("networks, hashes and counts behind it", default=dict)

    objects = ReportVersionQuerySet.as_manager()

    SECTIONS = ("indication", "comparison", "technique", "findings", "impression", "recommendation")

    class Meta:
        get_latest_by = "revision"
        constraints = [models.UniqueConstraint(fields=["report", "revision"], name="revision_once")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"Revision {self.revision}"


class Addendum(Row):
    """What was added to a final report, signed in its own right; append-only."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="addenda")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()

    objects = AddendumQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "addenda"
        ordering = ["id"]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"Addendum of {self.created_at:%Y-%m-%d}"


class WantedResults(Row):
    """Results of a study that were asked for and are not made yet; the row goes when they are.

    A failure, or a worker that was lost, is tried again, later and later.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")
    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="wanted_results")
    asked_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(db_index=True)
    attempts = models.PositiveIntegerField("failed attempts", default=0)
    last_error = models.CharField(max_length=300, blank=True)

    objects = WantedResultsQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "wanted results"

    def __str__(self) -> str:
        return f"results of {self.study_id}"
