"""What lists of decisions and reports can be narrowed by."""

from __future__ import annotations

import django_filters

from reports.models import Decision, Report


class DecisionFilter(django_filters.FilterSet):
    study = django_filters.UUIDFilter("study")
    study_instance_uid = django_filters.CharFilter("study__study_instance_uid")
    finding = django_filters.UUIDFilter("finding")
    person = django_filters.UUIDFilter("person")

    class Meta:
        model = Decision
        fields = ["kind"]


class ReportFilter(django_filters.FilterSet):
    study = django_filters.UUIDFilter("study")
    study_instance_uid = django_filters.CharFilter("study__study_instance_uid")
    patient = django_filters.UUIDFilter("study__patient")
    signed = django_filters.DateFromToRangeFilter("signed_at")

    class Meta:
        model = Report
        fields = ["state"]
