"""Jobs, readings and findings in JSON. The names are a contract with programs outside (DESIGN section 8)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from inference.models import Finding, Job, Reading
from inference.summary import contributions_of
from scans.serializers import CheckSerializer


class JobSerializer(serializers.ModelSerializer[Job]):
    """`queue_position` jobs will be read before this one; `expected_seconds` is null where unknown."""

    study_instance_uid = serializers.CharField(source="study.study_instance_uid", read_only=True)
    series = serializers.UUIDField(source="volume.series_id", read_only=True)
    queue_position = serializers.SerializerMethodField()
    expected_seconds = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id",
            "study",
            "study_instance_uid",
            "series",
            "state",
            "stage",
            "progress",
            "attempt",
            "reason",
            "read_anyway",
            "queued_at",
            "started_at",
            "ended_at",
            "queue_position",
            "expected_seconds",
        ]
        read_only_fields = fields

    def get_queue_position(self, job: Job) -> int:
        return self.context["queue"].position(job)

    def get_expected_seconds(self, job: Job) -> float | None:
        return self.context["queue"].seconds(job)


class ReadAnywaySerializer(serializers.Serializer[dict[str, Any]]):
    """The job, or null where the networks in force have read the series already."""

    job = JobSerializer(allow_null=True, read_only=True)


class UnfamiliarSerializer(serializers.Serializer[dict[str, Any]]):
    """One way in which a scan is unlike the training scans, with the value and the range seen there."""

    code = serializers.CharField()
    sentence = serializers.CharField()
    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class ContributionSerializer(serializers.Serializer[dict[str, Any]]):
    """A finding behind the scan probability: `suspicion` is p_nodule times malignancy."""

    number = serializers.IntegerField()
    suspicion = serializers.FloatField()


class ReadingSerializer(serializers.ModelSerializer[Reading]):
    """What one pipeline said of one volume, with every hash behind it. It never changes."""

    study_instance_uid = serializers.CharField(source="study.study_instance_uid", read_only=True)
    series = serializers.UUIDField(source="volume.series_id", read_only=True)
    pipeline = serializers.CharField(source="pipeline.version", read_only=True)
    pipeline_sha256 = serializers.CharField(source="pipeline.sha256", read_only=True)
    checks = CheckSerializer(many=True, read_only=True)
    timings_s = serializers.DictField(child=serializers.FloatField(), read_only=True)
    networks = serializers.DictField(child=serializers.CharField(), read_only=True)
    doubts = serializers.ListField(child=serializers.CharField(), read_only=True)
    unfamiliar = UnfamiliarSerializer(many=True, read_only=True)
    volume_note = serializers.CharField(read_only=True, help_text="Why no volumes are given, if so.")
    density_note = serializers.CharField(
        read_only=True, help_text="Why statements on calcium, fat and solid parts are limited, if so."
    )
    contributions = serializers.SerializerMethodField()

    class Meta:
        model = Reading
        fields = [
            "id",
            "study",
            "study_instance_uid",
            "series",
            "created_at",
            "pipeline",
            "pipeline_sha256",
            "networks",
            "volume_digest",
            "code_version",
            "scan_probability",
            "contributions",
            "confidence",
            "doubts",
            "unfamiliar",
            "volume_note",
            "density_note",
            "lung_ml",
            "checks",
            "timings_s",
        ]
        read_only_fields = fields

    @extend_schema_field(ContributionSerializer(many=True))
    def get_contributions(self, reading: Reading) -> list[dict[str, Any]]:
        return [asdict(one) for one in contributions_of(reading.findings.all())]


class FindingSerializer(serializers.ModelSerializer[Finding]):
    """One nodule that the networks found: `center_mm` is x, y, z in patient coordinates (LPS)."""

    study_instance_uid = serializers.CharField(source="study.study_instance_uid", read_only=True)
    diameter_mm = serializers.FloatField(
        source="mean_diameter_mm", read_only=True, help_text="Mean of long and short axis."
    )
    center_mm = serializers.ListField(
        child=serializers.FloatField(), min_length=3, max_length=3, read_only=True
    )
    fat = serializers.BooleanField(allow_null=True, read_only=True, help_text="Null: no statement.")
    traits = serializers.DictField(child=serializers.FloatField(), read_only=True)
    doubts = serializers.ListField(child=serializers.CharField(), read_only=True)
    volume_note = serializers.CharField(source="reading.volume_note", read_only=True)
    density_note = serializers.CharField(source="reading.density_note", read_only=True)
    mask_url = serializers.SerializerMethodField()
    key_image_url = serializers.SerializerMethodField()
    sensitivity_url = serializers.SerializerMethodField()

    class Meta:
        model = Finding
        fields = [
            "id",
            "study",
            "study_instance_uid",
            "reading",
            "number",
            "center_mm",
            "diameter_mm",
            "long_axis_mm",
            "short_axis_mm",
            "volume_mm3",
            "volume_note",
            "type",
            "solid_long_axis_mm",
            "solid_short_axis_mm",
            "solid_mean_diameter_mm",
            "calcification",
            "calcified_share",
            "fat",
            "density_note",
            "spiculation",
            "margin",
            "traits",
            "side",
            "third",
            "pleura",
            "pleura_mm",
            "slice_index",
            "p_nodule",
            "malignancy",
            "malignancy_low",
            "malignancy_high",
            "confidence",
            "doubts",
            "mask_url",
            "key_image_url",
            "sensitivity_url",
        ]
        read_only_fields = fields

    def get_mask_url(self, finding: Finding) -> str:
        return reverse("api-finding-mask", args=[finding.pk], request=self.context.get("request"))

    def get_key_image_url(self, finding: Finding) -> str | None:
        if not finding.key_image:
            return None
        return reverse("api-finding-key-image", args=[finding.pk], request=self.context.get("request"))

    def get_sensitivity_url(self, finding: Finding) -> str | None:
        """The optional layer that shows sensitivity, not location; null where none was made."""
        if not finding.sensitivity:
            return None
        return reverse("api-finding-sensitivity", args=[finding.pk], request=self.context.get("request"))
