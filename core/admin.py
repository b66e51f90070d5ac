"""What every page of the admin console shares, and the console's view of the rows of `core`.

Only administrators get in, and only to the rows of the sites that they administrate. What the networks said,
what people decided and signed, and the audit trail are there to be read: no page can change them.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress, EmailConfirmation
from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.sites import site as console
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from django.templatetags.static import static
from unfold.admin import ModelAdmin, TabularInline

from core.models import AuditEntry, OutboxMessage

ADMINISTRATOR = "administrator"
WHOLE_INSTALLATION = ""

# One sign-in for all, with its limits on guessing.
console.login = secure_admin_login(console.login)  # type: ignore[method-assign]
console.index_title = "Administration"

for _unused in (Group, EmailAddress, EmailConfirmation):  # roles are memberships; addresses belong to people
    try:
        console.unregister(_unused)
    except NotRegistered:
        continue


def sites_of(request: HttpRequest) -> list[UUID]:
    """Sites that the person administrates."""
    person: Any = request.user
    return person.sites_as(ADMINISTRATOR) if person.is_authenticated else []


def administers(request: HttpRequest) -> bool:
    person: Any = request.user
    return bool(person.is_active and person.is_staff and sites_of(request))


def limited(request: HttpRequest, rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """Of these rows those of the sites that the person administrates."""
    path = getattr(console._registry.get(rows.model), "site_path", "site")
    if path == WHOLE_INSTALLATION:
        return rows
    ours = {f"{path}__in": sites_of(request)}
    if "__" not in path:
        return rows.filter(**ours)
    return rows.filter(pk__in=rows.model._base_manager.filter(**ours).values("pk"))


def console_style(request: HttpRequest) -> str:
    """Our few lines of style beside those of the console, for `UNFOLD`."""
    return static("css/console.css")


def console_icon(request: HttpRequest) -> str:
    return static("icon.svg")


class RoomAdmin(ModelAdmin):
    """Rows of one's own sites, to be read; a subclass says what may be changed, and where the site stands."""

    site_path = "site"
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    list_fullwidth = True
    may_add = may_change = may_delete = False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return limited(request, super().get_queryset(request))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return administers(request)

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return administers(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may_add and administers(request)

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.may_change and administers(request)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.may_delete and administers(request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A form offers, and takes, rows of one's own sites only."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None:
            field.queryset = limited(request, field.queryset)
        return field


class RoomInline(TabularInline):
    """Rows below another row, to be read."""

    extra = 0
    may_add = may_change = may_delete = False

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return administers(request)

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.may_add and administers(request)

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.may_change and administers(request)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.may_delete and administers(request)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return limited(request, super().get_queryset(request))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None:
            field.queryset = limited(request, field.queryset)
        return field


@admin.register(AuditEntry)
class AuditEntryAdmin(RoomAdmin):
    """Who looked at or changed what; entries without a site are for those who administrate the person."""

    list_display = ["created_at", "person_name", "action", "target_type", "target_id", "route", "status"]
    list_filter = ["action", "target_type", "created_at"]
    search_fields = ["person_name", "target_id", "route", "request_id"]
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[AuditEntry]:
        entries = AuditEntry.objects.order_by("-id")
        return entries.filter(
            models.Q(site_id__in=sites_of(request))
            | models.Q(site_id__isnull=True, person_id__in=_people_of(request))
        )


def _people_of(request: HttpRequest) -> models.QuerySet[Any]:
    person: Any = request.user
    memberships: Any = person._meta.get_field("memberships").related_model
    return memberships._base_manager.filter(site__in=sites_of(request)).values("person")


@admin.register(OutboxMessage)
class OutboxMessageAdmin(RoomAdmin):
    """Tasks that wait for the broker; ids only."""

    site_path = WHOLE_INSTALLATION
    list_display = ["created_at", "task", "attempts"]
    search_fields = ["task"]
    list_filter = ["task"]
    ordering = ["created_at"]
