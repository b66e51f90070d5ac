"""What a site keeps: quarantined objects are decided, deletions undone, quotas set."""

from __future__ import annotations

from typing import cast

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from unfold.decorators import action

from accounts.models import Person
from core.admin import RoomAdmin
from core.problems import UserError
from scans.deletion import undo_deletion
from scans.ingest.quarantine import compare, decide
from scans.ingest.room import used_bytes
from scans.models import Deletion, Quarantined, StorageQuota

Decision = Quarantined.Decision


def administrator(request: HttpRequest) -> Person:
    """Who works in the console; the console lets nobody else in."""
    return cast(Person, request.user)


@admin.register(Quarantined)
class QuarantinedAdmin(RoomAdmin):
    list_display = ["sop_instance_uid", "reason", "size", "study", "created_at", "decision", "decided_by"]
    list_filter = ["reason", "decision", ("decision", admin.EmptyFieldListFilter), "site"]
    search_fields = ["=sop_instance_uid", "=sha256"]
    date_hierarchy = "created_at"
    list_select_related = ["study", "decided_by"]
    actions = ["keep_old", "take_new", "keep_both", "reject"]
    actions_detail = ["look_and_decide"]

    @admin.action(description="Keep the stored object, the newcomer stays aside")
    def keep_old(self, request: HttpRequest, rows: models.QuerySet[Quarantined]) -> None:
        self._decide_all(request, rows, Decision.KEEP_OLD)

    @admin.action(description="Take the newcomer, the stored object is put aside")
    def take_new(self, request: HttpRequest, rows: models.QuerySet[Quarantined]) -> None:
        self._decide_all(request, rows, Decision.TAKE_NEW)

    @admin.action(description="Keep both, the newcomer apart")
    def keep_both(self, request: HttpRequest, rows: models.QuerySet[Quarantined]) -> None:
        self._decide_all(request, rows, Decision.KEEP_BOTH)

    @admin.action(description="Reject the newcomer")
    def reject(self, request: HttpRequest, rows: models.QuerySet[Quarantined]) -> None:
        self._decide_all(request, rows, Decision.REJECT)

    def _decide_all(
        self, request: HttpRequest, rows: models.QuerySet[Quarantined], decision: Quarantined.Decision
    ) -> None:
        """One row at a time, each in a transaction with its entry in the audit trail."""
        refused: list[str] = []
        waiting = list(rows.filter(decision="").values_list("pk", flat=True))
        for pk in waiting:
            try:
                decide(administrator(request), pk, decision)
            except UserError as error:
                refused.append(error.sentence)
        self.message_user(request, f"{len(waiting) - len(refused)} decided.", messages.SUCCESS)
        for sentence in sorted(set(refused)):
            self.message_user(request, f"{refused.count(sentence)} not decided: {sentence}", messages.ERROR)

    @action(description="Look and decide", url_path="decide")  # type: ignore[untyped-decorator]
    def look_and_decide(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The difference tag by tag, and the four decisions."""
        row = get_object_or_404(self.get_queryset(request), pk=object_id)
        error = ""
        if request.method == "POST":
            try:
                decision = Decision(request.POST.get("decision", ""))
                decide(administrator(request), row.pk, decision)
            except ValueError:
                error = "Choose one of the four decisions."
            except UserError as refused:
                error = refused.sentence
            else:
                self.message_user(request, f"Decided: {decision.label}.", messages.SUCCESS)
                return redirect("admin:scans_quarantined_changelist")
        more = {"row": row, "error": error, "found": compare(row), "decisions": Decision.choices}
        context = {**self.admin_site.each_context(request), "title": "An object in quarantine", **more}
        return render(request, "console/quarantined.html", context, status=422 if error else 200)


@admin.register(Deletion)
class DeletionAdmin(RoomAdmin):
    list_display = ["study_instance_uid", "state", "due_at", "asked_by", "created_at", "instances", "reason"]
    list_filter = ["site"]
    search_fields = ["=study_instance_uid"]
    list_select_related = ["asked_by", "site"]
    ordering = ["-id"]
    actions = ["undo"]

    @admin.action(description="Undo: show the study again")
    def undo(self, request: HttpRequest, rows: models.QuerySet[Deletion]) -> None:
        for row in rows:
            try:
                undo_deletion(administrator(request), row.pk)
            except UserError as refused:
                self.message_user(request, refused.sentence, messages.ERROR)
            else:
                self.message_user(request, f"{row.study_instance_uid} is shown again.", messages.SUCCESS)


@admin.register(StorageQuota)
class StorageQuotaAdmin(RoomAdmin):
    may_add = may_change = may_delete = True
    list_display = ["site", "limit", "used"]
    search_fields = ["site__code", "site__name"]
    list_select_related = ["site"]
    ordering = ["site__code"]

    @admin.display(ordering="limit_bytes")
    def limit(self, quota: StorageQuota) -> str:
        return f"{quota.limit_bytes / 1e9:.1f} GB"

    @admin.display
    def used(self, quota: StorageQuota) -> str:
        return f"{used_bytes(quota.site) / 1e9:.1f} GB"
