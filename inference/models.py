"""Networks, the jobs that run them, and what they said: the last is never changed."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Site
from core.models import APPEND_ONLY, Row
from inference.querysets import FindingQuerySet, JobQuerySet, ReadingQuerySet
from inference.single.models import SingleImage  # noqa: F401 - Django finds its table through this module
from scans.models import Study, Volume

NO_VOLUME_CODES = ("W_NOVOL", "W_THICK", "E_THICK")
"""Checks that forbid volumes: slices too thick or too far apart for volumetry (CLINICAL section 2)."""
LIMITED_DENSITY_CODES = ("W_CONTRAST", "W_KERNEL", "W_THICK", "E_THICK")
"""Checks under which statements on calcium, fat and solid parts are limited (CLINICAL 1.9)."""


class Network(Row):
    """Trained weights of one task, known by their hash."""

    class State(models.TextChoices):
        ACTIVE = "active"
        RETIRED = "retired"

    task = models.CharField(max_length=32)
    version = models.CharField(max_length=32)
    sha256 = models.CharField(max_length=64, unique=True)
    card = models.TextField(blank=True)
    metrics = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)

    def __str__(self) -> str:
        return f"{self.task} {self.version} ({self.sha256[:8]})"


class Pipeline(Row):
    """An ordered set of networks and thresholds, known by the hash of all of them."""

    sha256 = models.CharField(max_length=64, unique=True)
    version = models.CharField(max_length=32)
    networks = models.ManyToManyField(Network, related_name="pipelines")

    def __str__(self) -> str:
        return f"{self.version} ({self.sha256[:8]})"


class Job(Row):
    """One promise to read one volume. It ends exactly once, in a truthful state."""

    class State(models.TextChoices):
        QUEUED = "queued", "waiting"
        RUNNING = "running", "reading"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    OPEN = (State.QUEUED, State.RUNNING)

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="jobs")
    volume = models.ForeignKey(Volume, on_delete=models.CASCADE, related_name="jobs")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    priority = models.SmallIntegerField(default=0)
    attempt = models.PositiveSmallIntegerField(default=0)
    lease = models.UUIDField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    stage = models.CharField(max_length=32, blank=True)
    progress = models.FloatField(default=0)
    reason = models.CharField(max_length=500, blank=True)
    read_anyway = models.BooleanField("read although the checks refused", default=False)
    asked_by = models.UUIDField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["volume"],
                condition=Q(state__in=["queued", "running"]),
                name="one_open_job_per_volume",
            )
        ]
        indexes = [
            models.Index(
                fields=["-priority", "queued_at"],
                name="job_queue",
                condition=Q(state__in=["queued", "running"]),
            ),
            models.Index(fields=["-ended_at"], name="job_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()}, attempt {self.attempt}"


class Reading(Row):
    """What one pipeline said of one volume. A database trigger refuses any change."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="readings")
    volume = models.ForeignKey(Volume, on_delete=models.CASCADE, related_name="readings")
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="reading")
    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="readings")
    volume_digest = models.CharField(max_length=64)
    code_version = models.CharField(max_length=64)
    scan_probability = models.FloatField()
    confidence = models.CharField(max_length=8)
    lung_ml = models.FloatField()
    checks = models.JSONField(default=list)
    timings_s = models.JSONField(default=dict)
    networks = models.JSONField(default=dict)
    doubts = models.JSONField("why the confidence is not higher", default=list)
    unfamiliar = models.JSONField("in what the scan is unlike the training scans", default=list)

    objects = ReadingQuerySet.as_manager()

    class Meta:
        get_latest_by = "id"
        constraints = [
            models.UniqueConstraint(fields=["volume", "pipeline"], name="one_reading_per_volume_and_pipeline")
        ]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"Scan probability {self.scan_probability:.2f}"

    @property
    def volume_note(self) -> str:
        """Why no volumes are given, in the words of the checks; empty where they are."""
        return self._sentences(NO_VOLUME_CODES)

    @property
    def density_note(self) -> str:
        """Why statements on density are limited, in the words of the checks; empty where they are not."""
        return self._sentences(LIMITED_DENSITY_CODES)

    def _sentences(self, codes: tuple[str, ...]) -> str:
        return " ".join(str(check.get("sentence", "")) for check in self.checks if check["code"] in codes)


class Finding(Row):
    """One nodule that the networks found. A database trigger refuses any change."""

    class Type(models.TextChoices):
        SOLID = "solid", "solid"
        PART_SOLID = "part_solid", "part-solid"
        NON_SOLID = "non_solid", "non-solid"

    class Side(models.TextChoices):
        RIGHT = "right", "right lung"
        LEFT = "left", "left lung"

    class Calcification(models.TextChoices):
        NONE = "none", "no calcification"
        DIFFUSE = "diffuse", "diffuse calcification"
        CENTRAL = "central", "central calcification"
        LAMINATED = "laminated", "laminated calcification"
        POPCORN = "popcorn", "popcorn calcification"
        ECCENTRIC = "eccentric", "eccentric calcification"

    class Spiculation(models.TextChoices):
        NONE = "none", "not spiculated"
        SOME = "some", "somewhat spiculated"
        MARKED = "marked", "markedly spiculated"

    class Margin(models.TextChoices):
        SHARP = "sharp", "sharp margin"
        FAIR = "fair", "fairly sharp margin"
        POOR = "poor", "poorly defined margin"

    class Third(models.TextChoices):
        UPPER = "upper", "upper third"
        MIDDLE = "middle", "middle third"
        LOWER = "lower", "lower third"

    class Pleura(models.TextChoices):
        ATTACHED = "attached", "attached to the pleura"
        NEAR = "near", "near the pleura"
        AWAY = "away", "away from the pleura"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="findings")
    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="findings")
    number = models.PositiveSmallIntegerField("number in the reading, most probable first")
    center_mm = ArrayField(models.FloatField(), size=3)
    slice_index = models.PositiveIntegerField()
    mask_start = ArrayField(models.PositiveIntegerField(), size=3)
    mask_shape = ArrayField(models.PositiveIntegerField(), size=3)
    mask_bits = models.BinaryField("outline, packed bits, zlib")
    long_axis_mm = models.FloatField()
    short_axis_mm = models.FloatField()
    mean_diameter_mm = models.FloatField()
    volume_mm3 = models.FloatField(null=True, blank=True)
    type = models.CharField(max_length=10, choices=Type)
    side = models.CharField(max_length=5, choices=Side)
    p_nodule = models.FloatField()
    malignancy = models.FloatField()
    malignancy_low = models.FloatField()
    malignancy_high = models.FloatField()
    # What follows is empty in readings made before it was asked, and where no statement is made.
    solid_long_axis_mm = models.FloatField(null=True, blank=True)
    solid_short_axis_mm = models.FloatField(null=True, blank=True)
    solid_mean_diameter_mm = models.FloatField(null=True, blank=True)
    calcification = models.CharField(max_length=9, choices=Calcification, blank=True)
    calcified_share = models.FloatField(null=True, blank=True)
    fat = models.BooleanField(null=True, blank=True)
    spiculation = models.CharField(max_length=6, choices=Spiculation, blank=True)
    margin = models.CharField(max_length=5, choices=Margin, blank=True)
    third = models.CharField("third of the lung's height", max_length=6, choices=Third, blank=True)
    pleura = models.CharField(max_length=8, choices=Pleura, blank=True)
    pleura_mm = models.FloatField("distance to the lung's outer border", null=True, blank=True)
    traits = models.JSONField("ratings of the network, 1 to 5", default=dict, blank=True)
    confidence = models.CharField(max_length=6, blank=True)
    doubts = models.JSONField("why the confidence is not higher", default=list, blank=True)
    sensitivity = models.CharField("stored map of sensitivity", max_length=128, blank=True)
    sensitivity_start = ArrayField(models.PositiveIntegerField(), size=3, null=True, blank=True)
    key_image = models.CharField(max_length=128, blank=True)

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["reading", "number"], name="finding_number_once")]
        triggers = APPEND_ONLY

    def __str__(self) -> str:
        return f"{self.get_side_display()}, {self.mean_diameter_mm:.1f} mm {self.get_type_display()}"
