"""Networks, jobs and what the networks said: to be read. Jobs can be cancelled and asked for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest

from core.admin import WHOLE_INSTALLATION, RoomAdmin, RoomInline, administers
from core.problems import UserError
from inference import jobs, registry
from inference.models import Finding, Job, Network, Pipeline, Reading
from inference.single.models import SingleImage


@admin.register(Network)
class NetworkAdmin(RoomAdmin):
    site_path = WHOLE_INSTALLATION
    list_display = ["task", "version", "sha256", "state", "created_at"]
    list_filter = ["task", "state"]
    search_fields = ["task", "version", "sha256"]
    ordering = ["-id"]
    actions = ["activate"]

    def has_activate_permission(self, request: HttpRequest) -> bool:
        """The networks read for all sites, so an administrator of one site is not enough."""
        return administers(request) and bool(request.user.is_superuser)

    @admin.action(description="Put in force: read every new scan with it", permissions=["activate"])
    def activate(self, request: HttpRequest, rows: models.QuerySet[Network]) -> None:
        for network in rows:
            try:
                registry.put_in_force(network)
            except UserError as error:
                self.message_user(request, f"{network}: {error.sentence}", messages.WARNING)


@admin.register(Pipeline)
class PipelineAdmin(RoomAdmin):
    site_path = WHOLE_INSTALLATION
    list_display = ["version", "sha256", "created_at"]
    list_filter = ["version"]
    search_fields = ["version", "sha256"]
    ordering = ["-id"]


@admin.register(Job)
class JobAdmin(RoomAdmin):
    list_display = [
        "study",
        "state",
        "stage",
        "progress",
        "attempt",
        "queued_at",
        "started_at",
        "ended_at",
        "reason",
    ]
    list_filter = ["state", "read_anyway", "site"]
    search_fields = ["=study__study_instance_uid", "=study__accession_number", "reason"]
    date_hierarchy = "queued_at"
    list_select_related = ["study"]
    ordering = ["-id"]
    exclude = ["lease"]
    actions = ["cancel", "retry"]

    @admin.action(description="Cancel")
    def cancel(self, request: HttpRequest, rows: models.QuerySet[Job]) -> None:
        self._each(request, rows, jobs.cancel)

    @admin.action(description="Read again")
    def retry(self, request: HttpRequest, rows: models.QuerySet[Job]) -> None:
        self._each(request, rows, jobs.retry)

    def _each(self, request: HttpRequest, rows: models.QuerySet[Job], act: Callable[..., Any]) -> None:
        """By the same service as on the pages; each refusal is shown with its sentence."""
        for job in rows:
            try:
                act(request.user, job)
            except UserError as error:
                self.message_user(request, f"{job.study}: {error.sentence}", messages.WARNING)


class FindingInline(RoomInline):
    model = Finding
    fields = ["number", "long_axis_mm", "short_axis_mm", "type", "side", "p_nodule", "malignancy"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).defer("mask_bits")


@admin.register(Reading)
class ReadingAdmin(RoomAdmin):
    list_display = ["study", "scan_probability", "confidence", "pipeline", "code_version", "created_at"]
    list_filter = ["confidence", "pipeline", "site"]
    search_fields = ["=study__study_instance_uid", "=volume_digest"]
    date_hierarchy = "created_at"
    list_select_related = ["study", "pipeline"]
    ordering = ["-id"]
    inlines = [FindingInline]


@admin.register(Finding)
class FindingAdmin(RoomAdmin):
    list_display = ["study", "number", "mean_diameter_mm", "type", "side", "p_nodule", "malignancy"]
    list_filter = ["type", "side", "site"]
    search_fields = ["=study__study_instance_uid", "=study__accession_number"]
    list_select_related = ["study"]
    ordering = ["-id"]
    exclude = ["mask_bits"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).defer("mask_bits")


@admin.register(SingleImage)
class SingleImageAdmin(RoomAdmin):
    """That an image was asked about, when and by whom; the picture and its answer are the asker's alone."""

    list_display = ["person", "state", "rows", "columns", "asked_at", "ended_at", "reason"]
    list_filter = ["state", "site"]
    search_fields = ["person__email", "reason"]
    date_hierarchy = "asked_at"
    list_select_related = ["person"]
    ordering = ["-id"]
    exclude = ["stored", "answer"]
