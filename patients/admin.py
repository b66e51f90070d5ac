"""Patients of one's own sites, and what they stated."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from core.admin import RoomAdmin, RoomInline
from patients.models import Patient, RiskProfile


class RiskProfileInline(RoomInline):
    model = RiskProfile
    fields = ["stated_on", "stated_to", "smoking", "cigarettes_per_day", "years_smoked", "quit_date"]
    show_change_link = True


@admin.register(Patient)
class PatientAdmin(RoomAdmin):
    """Name, birth date and sex can be put right; number, issuer and site say who it is and stay."""

    may_change = True
    list_display = ["display_name", "medical_record_number", "issuer", "birth_date", "sex", "site"]
    list_filter = ["site", "sex"]
    search_fields = ["search_text"]
    search_help_text = "Name, number or birth date (1958-03-04)"
    readonly_fields = ["site", "issuer", "medical_record_number", "created_at"]
    fields = ["name", "birth_date", "sex", "medical_record_number", "issuer", "site", "created_at"]
    list_select_related = ["site"]
    inlines = [RiskProfileInline]

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """As everywhere else: by the index over name and number."""
        rows: Any = queryset
        return (rows.matching(search_term) if search_term else rows), False


@admin.register(RiskProfile)
class RiskProfileAdmin(RoomAdmin):
    list_display = ["patient", "stated_on", "smoking", "cigarettes_per_day", "years_smoked", "stated_to"]
    list_filter = ["smoking", "site"]
    search_fields = ["patient__medical_record_number", "patient__name"]
    date_hierarchy = "stated_on"
    list_select_related = ["patient", "stated_to"]
