"""What lists of patients can be narrowed by."""

from __future__ import annotations

import django_filters

from patients.models import Patient
from patients.querysets import PatientQuerySet


class PatientFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="matching", help_text="Name, number or birth date.")
    site = django_filters.CharFilter("site__code")
    issuer = django_filters.CharFilter("issuer")
    medical_record_number = django_filters.CharFilter("medical_record_number")

    class Meta:
        model = Patient
        fields = ["birth_date", "sex"]

    def matching(self, patients: PatientQuerySet, name: str, text: str) -> PatientQuerySet:
        return patients.matching(text)
