"""Decisions, nodules and reports in JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.serializers import PersonSerializer
from core.querysets import STAFF_ROLES
from inference.models import Finding
from reports.actions import edited_by_other
from reports.models import Addendum, Decision, Report, ReportVersion

SCORES = ("scan_probability", "confidence")


def _axis() -> serializers.FloatField:
    return serializers.FloatField(required=False, allow_null=True, min_value=0.5, max_value=300)


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    person = PersonSerializer(read_only=True)
    center_mm = serializers.ListField(child=serializers.FloatField(), allow_null=True, read_only=True)

    class Meta:
        model = Decision
        fields = [
            "id",
            "study",
            "finding",
            "about",
            "person",
            "kind",
            "reason",
            "note",
            "long_axis_mm",
            "short_axis_mm",
            "type",
            "location",
            "center_mm",
            "slice_index",
            "created_at",
        ]
        read_only_fields = fields


class NewDecisionSerializer(serializers.Serializer[dict[str, Any]]):
    """Name `finding` to decide about it, `study` to add a nodule, `about` to revise an added one."""

    finding = serializers.UUIDField(required=False)
    study = serializers.UUIDField(required=False)
    about = serializers.UUIDField(required=False)
    kind = serializers.ChoiceField(choices=Decision.Kind.choices)
    reason = serializers.ChoiceField(choices=Decision.Reason.choices, required=False, allow_blank=True)
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)
    long_axis_mm = _axis()
    short_axis_mm = _axis()
    type = serializers.ChoiceField(choices=Finding.Type.choices, required=False, allow_blank=True)
    location = serializers.CharField(max_length=64, required=False, allow_blank=True)
    center_mm = serializers.ListField(
        child=serializers.FloatField(), min_length=3, max_length=3, required=False, allow_null=True
    )
    slice_index = serializers.IntegerField(min_value=0, required=False, allow_null=True)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        named = [name for name in ("finding", "study", "about") if given.get(name)]
        if len(named) != 1:
            raise serializers.ValidationError("Name one of finding, study and about.")
        if (given["kind"] == Decision.Kind.ADD) != (named == ["study"]):
            raise serializers.ValidationError(
                "A nodule is added to a study; other kinds name a finding or about."
            )
        return given


class NoduleSerializer(serializers.Serializer[Any]):
    """A finding or an added nodule, merged with its newest decision."""

    number = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["undecided", "accepted", "rejected", "corrected", "added"])
    finding = serializers.UUIDField(source="finding.pk", allow_null=True, default=None)
    decision = DecisionSerializer(allow_null=True)
    long_axis_mm = serializers.FloatField(allow_null=True)
    short_axis_mm = serializers.FloatField(allow_null=True)
    mean_diameter_mm = serializers.FloatField(allow_null=True)
    volume_mm3 = serializers.FloatField(allow_null=True)
    type = serializers.CharField()
    location = serializers.CharField()
    slice_index = serializers.IntegerField(allow_null=True)
    center_mm = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    series_number = serializers.IntegerField(allow_null=True)
    image_number = serializers.IntegerField(allow_null=True)
    p_nodule = serializers.FloatField(allow_null=True)
    malignancy = serializers.FloatField(allow_null=True)
    malignancy_low = serializers.FloatField(allow_null=True)
    malignancy_high = serializers.FloatField(allow_null=True)
    character = serializers.ListField(child=serializers.CharField())
    volume_note = serializers.CharField()


class VersionSerializer(serializers.ModelSerializer[ReportVersion]):
    person = PersonSerializer(read_only=True)

    class Meta:
        model = ReportVersion
        fields = ["revision", "person", "created_at", *ReportVersion.SECTIONS, "nodules", "software"]
        read_only_fields = fields

    def to_representation(self, version: ReportVersion) -> dict[str, Any]:
        """A referrer gets what the printed report says: no rejected marks, no score of the scan."""
        shown: dict[str, Any] = super().to_representation(version)
        if self.context["request"].user.has_role(version.site_id, *STAFF_ROLES):
            return shown
        kept = [one for one in version.nodules if one.get("status") != "rejected"]
        software = {name: value for name, value in version.software.items() if name not in SCORES}
        return {**shown, "nodules": kept, "software": software}


class AddendumSerializer(serializers.ModelSerializer[Addendum]):
    person = PersonSerializer(read_only=True)
    password = serializers.CharField(write_only=True)

    class Meta:
        model = Addendum
        fields = ["id", "text", "person", "created_at", "password"]


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A report with its addenda; `editing_by_other` tells who else is at the draft."""

    study_instance_uid = serializers.CharField(source="study.study_instance_uid", read_only=True)
    signed_by = PersonSerializer(read_only=True, allow_null=True)
    editing_by_other = serializers.SerializerMethodField()
    addenda = AddendumSerializer(many=True, read_only=True)

    class Meta:
        model = Report
        fields = [
            "id",
            "study",
            "study_instance_uid",
            "state",
            "revision",
            "created_at",
            "signed_at",
            "signed_by",
            "editing_by_other",
            "addenda",
        ]
        read_only_fields = fields

    def get_editing_by_other(self, report: Report) -> str | None:
        other = edited_by_other(report, self.context["request"].user)
        return str(other) if other else None


class ReportWithTextSerializer(ReportSerializer):
    version = serializers.SerializerMethodField()

    class Meta(ReportSerializer.Meta):
        fields = [*ReportSerializer.Meta.fields, "version"]
        read_only_fields = fields

    def get_version(self, report: Report) -> VersionSerializer:
        """The signed version of a final report, else the newest."""
        versions = report.versions.select_related("person")
        chosen = versions.get(pk=report.final_version_id) if report.final_version_id else versions.latest()
        return VersionSerializer(chosen, context=self.context).data  # type: ignore[return-value]


class OpenDraftSerializer(serializers.Serializer[dict[str, Any]]):
    study = serializers.UUIDField()


class TextsSerializer(serializers.Serializer[dict[str, str]]):
    """The sections of a report."""

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        return {
            name: serializers.CharField(allow_blank=True, required=False) for name in ReportVersion.SECTIONS
        }


class SaveDraftSerializer(TextsSerializer):
    """`revision` is the one that the texts started from."""

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        return {"revision": serializers.IntegerField(min_value=0), **super().get_fields()}


class SignSerializer(serializers.Serializer[dict[str, Any]]):
    revision = serializers.IntegerField(min_value=0)
    password = serializers.CharField()
