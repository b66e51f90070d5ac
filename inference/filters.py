"""What lists of jobs, readings and findings can be narrowed by."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet

from inference.models import Finding, Job, Reading


class JobFilter(django_filters.FilterSet):
    study = django_filters.UUIDFilter("study")
    study_instance_uid = django_filters.CharFilter("study__study_instance_uid")

    class Meta:
        model = Job
        fields = ["state", "read_anyway"]


class ReadingFilter(django_filters.FilterSet):
    study = django_filters.UUIDFilter("study")
    study_instance_uid = django_filters.CharFilter("study__study_instance_uid")

    class Meta:
        model = Reading
        fields = ["volume_digest", "confidence"]


class FindingFilter(django_filters.FilterSet):
    """Without `reading`, only findings of the newest reading of each study are listed."""

    study = django_filters.UUIDFilter("study")
    study_instance_uid = django_filters.CharFilter("study__study_instance_uid")
    reading = django_filters.UUIDFilter("reading")

    class Meta:
        model = Finding
        fields = ["type", "side"]

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found: Any = super().filter_queryset(queryset)
        return found if self.form.cleaned_data.get("reading") else found.current()
