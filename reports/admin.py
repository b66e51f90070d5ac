"""Decisions and reports, to be read: they are made and signed on the pages, never here."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest

from core.admin import RoomAdmin, RoomInline
from reports.models import Addendum, Decision, Report, ReportVersion, WantedResults
from reports.wanted import try_again


@admin.register(Decision)
class DecisionAdmin(RoomAdmin):
    list_display = ["created_at", "study", "finding", "kind", "reason", "person"]
    list_filter = ["kind", "reason", "site"]
    search_fields = [
        "=study__study_instance_uid",
        "=study__accession_number",
        "person__name",
        "person__email",
    ]
    date_hierarchy = "created_at"
    list_select_related = ["study", "finding", "person"]
    ordering = ["-id"]


class VersionInline(RoomInline):
    model = ReportVersion
    fk_name = "report"
    fields = ["revision", "person", "created_at", "impression"]
    readonly_fields = ["created_at"]


class AddendumInline(RoomInline):
    model = Addendum
    fields = ["created_at", "person", "text"]
    readonly_fields = ["created_at"]


@admin.register(Report)
class ReportAdmin(RoomAdmin):
    list_display = ["study", "state", "revision", "signed_at", "signed_by", "site"]
    list_filter = ["state", "site"]
    search_fields = ["=study__study_instance_uid", "=study__accession_number", "signed_by__name"]
    date_hierarchy = "created_at"
    list_select_related = ["study", "signed_by", "site"]
    ordering = ["-id"]
    inlines = [VersionInline, AddendumInline]


@admin.register(ReportVersion)
class ReportVersionAdmin(RoomAdmin):
    list_display = ["report", "revision", "person", "created_at"]
    list_filter = ["site"]
    search_fields = ["=report__study__study_instance_uid", "person__name"]
    date_hierarchy = "created_at"
    list_select_related = ["report", "person"]
    ordering = ["-id"]


@admin.register(Addendum)
class AddendumAdmin(RoomAdmin):
    list_display = ["created_at", "report", "person", "text"]
    list_filter = ["site"]
    search_fields = ["=report__study__study_instance_uid", "person__name", "text"]
    date_hierarchy = "created_at"
    list_select_related = ["report", "person"]
    ordering = ["-id"]


@admin.register(WantedResults)
class WantedResultsAdmin(RoomAdmin):
    """SEG, SR and PDF that were asked for and are not made yet; usually empty."""

    list_display = ["study", "asked_at", "attempts", "last_error", "next_attempt_at", "site"]
    list_filter = ["site"]
    search_fields = ["=study__study_instance_uid", "=study__accession_number"]
    list_select_related = ["study", "site"]
    ordering = ["-attempts", "asked_at"]
    actions = ["try_again"]

    @admin.action(description="Try again now")
    def try_again(self, request: HttpRequest, rows: models.QuerySet[WantedResults]) -> None:
        self.message_user(request, f"{try_again(list(rows))} will be tried again.", messages.SUCCESS)
