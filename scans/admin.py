"""Scans as they came: to be looked at; quarantined objects are ticked off."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django.utils import timezone

from core.admin import RoomAdmin, RoomInline
from scans.models import Instance, Quarantined, Series, Study, Upload, UploadedFile, Volume


class SeriesInline(RoomInline):
    model = Series
    fk_name = "study"
    fields = ["series_number", "modality", "description", "instance_count", "refusal"]
    show_change_link = True


@admin.register(Study)
class StudyAdmin(RoomAdmin):
    list_display = [
        "description",
        "patient",
        "accession_number",
        "started_at",
        "status",
        "review",
        "scan_probability",
        "site",
    ]
    list_filter = ["status", "review", "site", "started_at"]
    search_fields = ["accession_number", "study_instance_uid", "patient__search_text"]
    date_hierarchy = "started_at"
    list_select_related = ["patient", "site"]
    ordering = ["-id"]
    inlines = [SeriesInline]

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """Patient, accession number or study instance UID."""
        if not search_term:
            return queryset, False
        rows: Any = queryset
        return rows.matching(search_term) | rows.filter(study_instance_uid=search_term.strip()), False


@admin.register(Series)
class SeriesAdmin(RoomAdmin):
    list_display = ["__str__", "study", "modality", "slice_thickness_mm", "instance_count", "refusal"]
    list_filter = ["modality", "site"]
    search_fields = ["series_instance_uid", "study__study_instance_uid", "description"]
    list_select_related = ["study"]
    ordering = ["-id"]


@admin.register(Instance)
class InstanceAdmin(RoomAdmin):
    list_display = [
        "sop_instance_uid",
        "instance_number",
        "position",
        "size",
        "transfer_syntax_uid",
        "created_at",
    ]
    list_filter = ["transfer_syntax_uid", "site"]
    search_fields = ["=sop_instance_uid", "=sha256"]
    ordering = ["-id"]
    exclude = ["header"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).defer("header")


@admin.register(Quarantined)
class QuarantinedAdmin(RoomAdmin):
    list_display = ["sop_instance_uid", "reason", "size", "study", "created_at", "resolved_at"]
    list_filter = ["reason", ("resolved_at", admin.EmptyFieldListFilter), "site"]
    search_fields = ["=sop_instance_uid", "=sha256"]
    date_hierarchy = "created_at"
    list_select_related = ["study"]
    actions = ["tick_off"]

    @admin.action(description="Tick off as looked at")
    def tick_off(self, request: HttpRequest, rows: models.QuerySet[Quarantined]) -> None:
        """One row at a time, so that each is in the audit trail."""
        waiting = list(rows.filter(resolved_at__isnull=True))
        for row in waiting:
            row.resolved_at = timezone.now()
            row.save(update_fields=["resolved_at"])
        self.message_user(request, f"{len(waiting)} ticked off.", messages.SUCCESS)


class UploadedFileInline(RoomInline):
    model = UploadedFile
    fields = ["position", "outcome", "code", "sentence"]


@admin.register(Upload)
class UploadAdmin(RoomAdmin):
    list_display = ["created_at", "person", "road", "stored", "duplicates", "refused", "site"]
    list_filter = ["road", "site"]
    search_fields = ["person__email", "person__name"]
    date_hierarchy = "created_at"
    list_select_related = ["person", "site"]
    ordering = ["-id"]


@admin.register(UploadedFile)
class UploadedFileAdmin(RoomAdmin):
    site_path = "upload__site"
    list_display = ["upload", "position", "outcome", "code", "sentence"]
    list_filter = ["outcome", "code"]
    search_fields = ["code", "sentence"]
    list_select_related = ["upload"]
    ordering = ["-upload", "position"]


@admin.register(Volume)
class VolumeAdmin(RoomAdmin):
    list_display = ["__str__", "series", "digest", "spacing_mm", "created_at"]
    search_fields = ["=digest", "=series__series_instance_uid"]
    list_filter = ["site"]
    list_select_related = ["series"]
    ordering = ["-id"]
    exclude = ["sop_instance_uids"]
