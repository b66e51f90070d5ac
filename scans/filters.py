"""What lists of studies and series can be narrowed by."""

from __future__ import annotations

import django_filters

from scans.models import Series, Study
from scans.querysets import StudyQuerySet


class StudyFilter(django_filters.FilterSet):
    study_instance_uid = django_filters.CharFilter("study_instance_uid")
    accession_number = django_filters.CharFilter("accession_number")
    site = django_filters.CharFilter("site__code")
    patient = django_filters.UUIDFilter("patient")
    started = django_filters.DateFromToRangeFilter("started_at")
    text = django_filters.CharFilter(method="matching", help_text="Patient or accession number.")

    class Meta:
        model = Study
        fields = ["status", "review"]

    def matching(self, studies: StudyQuerySet, name: str, text: str) -> StudyQuerySet:
        return studies.matching(text)


class SeriesFilter(django_filters.FilterSet):
    study = django_filters.UUIDFilter("study")
    study_instance_uid = django_filters.CharFilter("study__study_instance_uid")

    class Meta:
        model = Series
        fields = ["modality", "series_instance_uid"]
