"""Studies and series in JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.querysets import STAFF_ROLES
from patients.serializers import PatientBriefSerializer
from scans.models import Series, Study

FOR_STAFF: dict[str, Any] = {
    "scan_probability": None, "finding_count": None, "lead_finding": "", "series_choice": "",
    "reason": "", "warnings": [],
}  # fmt: skip


class CheckSerializer(serializers.Serializer[dict[str, Any]]):
    """One acquisition check that was raised."""

    code = serializers.CharField()
    level = serializers.ChoiceField(choices=["REFUSE", "WARN", "INFO"])
    value = serializers.JSONField(required=False, allow_null=True)
    limit = serializers.JSONField(required=False, allow_null=True)
    sentence = serializers.CharField()


class StudySerializer(serializers.ModelSerializer[Study]):
    """A study as the worklist shows it. `reason` says why it was not read or failed."""

    site = serializers.CharField(source="site.code", read_only=True)
    patient = PatientBriefSerializer(read_only=True)
    warnings = serializers.SerializerMethodField()

    class Meta:
        model = Study
        fields = [
            "id",
            "site",
            "study_instance_uid",
            "patient",
            "accession_number",
            "description",
            "started_at",
            "created_at",
            "completed_at",
            "status",
            "progress",
            "stage",
            "reason",
            "scan_probability",
            "finding_count",
            "lead_finding",
            "review",
            "series_choice",
            "warnings",
        ]
        read_only_fields = fields

    def to_representation(self, study: Study) -> dict[str, Any]:
        """A referrer reads reports, not what the networks said."""
        shown: dict[str, Any] = super().to_representation(study)
        if self.context["request"].user.has_role(study.site_id, *STAFF_ROLES):
            return shown
        return {**shown, **FOR_STAFF}

    @extend_schema_field(CheckSerializer(many=True))
    def get_warnings(self, study: Study) -> list[dict[str, Any]]:
        """Checks of the series that was read, without mere information."""
        checks = study.read_series.checks if study.read_series else []
        return [check for check in checks if check.get("level") != "INFO"]


class SeriesSerializer(serializers.ModelSerializer[Series]):
    """A series with the outcome of its acquisition checks; `refusal` says why it is not read."""

    study_instance_uid = serializers.CharField(source="study.study_instance_uid", read_only=True)
    checks = CheckSerializer(many=True, read_only=True)

    class Meta:
        model = Series
        fields = [
            "id",
            "study",
            "study_instance_uid",
            "series_instance_uid",
            "series_number",
            "modality",
            "description",
            "slice_thickness_mm",
            "convolution_kernel",
            "instance_count",
            "checks",
            "refusal",
        ]
        read_only_fields = fields
