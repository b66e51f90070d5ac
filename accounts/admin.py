"""Administrators keep the people and roles of their own sites."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db import models
from django.http import HttpRequest
from knox.models import AuthToken
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import Membership, Person, Site, TokenSite
from core.admin import RoomAdmin, RoomInline, sites_of


@admin.register(Site)
class SiteAdmin(RoomAdmin):
    """One's own sites; new ones are made by the operator of the installation."""

    site_path = "pk"
    may_change = True
    list_display = ["name", "code", "created_at"]
    search_fields = ["name", "code"]
    readonly_fields = ["code"]


class NeedsARole(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """Nobody is made without a role at a site: they would belong to no administrator."""

    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        if not kept and self.instance._state.adding:
            raise forms.ValidationError("Give this person a role at one of your sites.")


class MembershipInline(RoomInline):
    model = Membership
    formset = NeedsARole
    may_add = may_change = may_delete = True
    fields = ["site", "role"]
    verbose_name_plural = "roles at my sites"


@admin.register(Person)
class PersonAdmin(RoomAdmin, UserAdmin):  # type: ignore[type-arg]
    """People who work at one's own sites.

    Who also works at a site of somebody else is shown but not edited here: otherwise one administrator could
    set the password of another's people. Nobody gets more rights here than a role at these sites gives.
    """

    site_path = "memberships__site"
    may_add = may_change = True
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["email", "name", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "memberships__role"]
    search_fields = ["email", "name"]
    ordering = ["email"]
    readonly_fields = ["last_login", "created_at"]
    filter_horizontal = ()
    fieldsets = [(None, {"fields": ["email", "name", "password", "is_active", "is_staff", "last_login"]})]
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]
    inlines = [MembershipInline]

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        if not super().has_change_permission(request, obj):
            return False
        return obj is None or not isinstance(obj, Person) or self._is_ours_alone(request, obj)

    @staticmethod
    def _is_ours_alone(request: HttpRequest, person: Person) -> bool:
        if person.is_superuser and person.pk != request.user.pk:
            return False
        elsewhere = person.memberships.exclude(site__in=sites_of(request))
        return not elsewhere.exists()

    def save_model(self, request: HttpRequest, obj: Person, form: Any, change: bool) -> None:
        obj.email = obj.email.lower()
        super().save_model(request, obj, form, change)


@admin.register(Membership)
class MembershipAdmin(RoomAdmin):
    may_add = may_change = may_delete = True
    list_display = ["person", "site", "role", "created_at"]
    list_filter = ["role", "site"]
    search_fields = ["person__email", "person__name"]
    autocomplete_fields = ["person"]
    list_select_related = ["person", "site"]


@admin.register(TokenSite)
class TokenSiteAdmin(RoomAdmin):
    """Tokens that open one site alone."""

    list_display = ["site", "created_at"]
    list_filter = ["site"]
    fields = ["site", "created_at"]
    readonly_fields = ["created_at"]


admin.site.unregister(AuthToken)


@admin.register(AuthToken)
class TokenAdmin(RoomAdmin):
    """Tokens of one's people: to be revoked, never to be read."""

    site_path = "user__memberships__site"
    may_delete = True
    list_display = ["token_key", "user", "created", "expiry"]
    search_fields = ["user__email", "user__name"]
    fields = ["token_key", "user", "created", "expiry"]
    list_select_related = ["user"]
