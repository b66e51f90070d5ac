"""Patients and their risk profiles in JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from patients.models import Patient, RiskProfile


class PatientBriefSerializer(serializers.ModelSerializer[Patient]):
    """Enough to know whose study it is."""

    class Meta:
        model = Patient
        fields = ["id", "medical_record_number", "issuer", "name", "display_name", "birth_date", "sex"]


class PatientSerializer(serializers.ModelSerializer[Patient]):
    """Number and issuer say who it is and stay; name, birth date and sex can be put right."""

    site = serializers.CharField(source="site.code", read_only=True)

    class Meta:
        model = Patient
        fields = [
            "id",
            "site",
            "issuer",
            "medical_record_number",
            "name",
            "display_name",
            "birth_date",
            "sex",
            "created_at",
        ]
        read_only_fields = ["issuer", "medical_record_number"]
        validators: list[object] = []  # the database says whether the number is taken, as a conflict


class NewPatientSerializer(PatientSerializer):
    """`site` is the code of a site; it may be left out where the person works at one site only."""

    issuer = serializers.CharField(max_length=64, required=False, help_text="The site's code if left out.")
    site = serializers.CharField(required=False, write_only=True, help_text="Code of the site.")

    class Meta(PatientSerializer.Meta):
        read_only_fields: list[str] = []


class RiskProfileSerializer(serializers.ModelSerializer[RiskProfile]):
    stated_to: serializers.StringRelatedField[Any] = serializers.StringRelatedField(read_only=True)
    pack_years = serializers.FloatField(read_only=True, allow_null=True)

    class Meta:
        model = RiskProfile
        exclude = ["site", "patient"]
