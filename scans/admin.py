"""Scans as they came, to be looked at; the way to delete a study."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from unfold.decorators import action

from core.admin import RoomAdmin, RoomInline
from core.problems import UserError
from scans.deletion import confirmation_of, mark_for_deletion
from scans.keeping_admin import administrator
from scans.models import Instance, Release, Series, Study, Upload, UploadedFile, Volume
from scans.peers_admin import DeliveryInline


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
    inlines = [SeriesInline, DeliveryInline]
    actions_detail = ["ask_to_delete"]

    @action(description="Delete this study", url_path="delete-study")
    def ask_to_delete(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for the end of the UID and the reason, then hides the study and starts the grace period."""
        study = get_object_or_404(self.get_queryset(request), pk=object_id)
        error = ""
        if request.method == "POST":
            typed, why = request.POST.get("confirmation", ""), request.POST.get("reason", "")
            try:
                deletion = mark_for_deletion(administrator(request), study.pk, typed, why)
            except UserError as refused:
                error = refused.sentence
            else:
                said = (
                    f"The study is hidden now and will be deleted on {deletion.due_at:%d %b %Y, %H:%M} UTC."
                )
                self.message_user(request, said, messages.SUCCESS)
                return redirect("admin:scans_deletion_changelist")
        days, tail = settings.DELETION_GRACE_DAYS, confirmation_of(study)
        more = {"title": "Delete a study", "study": study, "error": error, "tail": tail, "days": days}
        context = {**self.admin_site.each_context(request), **more}
        return render(request, "console/delete_study.html", context, status=422 if error else 200)

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


class UploadedFileInline(RoomInline):
    model = UploadedFile
    fields = ["position", "outcome", "code", "sentence"]


@admin.register(Upload)
class UploadAdmin(RoomAdmin):
    list_display = ["created_at", "person", "peer", "road", "stored", "duplicates", "refused", "site"]
    list_filter = ["road", "site"]
    search_fields = ["person__email", "person__name"]
    date_hierarchy = "created_at"
    list_select_related = ["person", "peer", "site"]
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


@admin.register(Release)
class ReleaseAdmin(RoomAdmin):
    """Who released which study for research, and what was left in the copy."""

    list_display = ["study", "person", "created_at", "copy", "site"]
    list_filter = ["site"]
    search_fields = ["=study__study_instance_uid", "=copy__study_instance_uid", "person__email"]
    date_hierarchy = "created_at"
    list_select_related = ["study", "copy", "person", "site"]
    ordering = ["-id"]
