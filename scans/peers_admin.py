"""Peers of one's sites, callers that nobody knows, and what became of the results that were sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.models import Site
from core.admin import WHOLE_INSTALLATION, RoomAdmin, RoomInline, sites_of
from scans.dimse.sending import send_again
from scans.models import Delivery, Peer, UnknownCaller


class PeerForm(forms.ModelForm[Peer]):
    """The authorization is written, never shown: an empty field leaves it as it is."""

    new_authorization = forms.CharField(
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        label="Authorization header for DICOMweb",
        help_text="Such as: Bearer TOKEN. Left empty, what was given before holds; a single - removes it.",
    )

    class Meta:
        model = Peer
        fields = ["site", "name", "ae_title", "host", "active", "may_send", "called_ae_title"]
        fields += ["receives_results", "port", "tls", "stow_url"]

    def clean_new_authorization(self) -> str:
        value: str = self.cleaned_data["new_authorization"].strip()
        if not value.isascii() or not value.isprintable():
            raise forms.ValidationError("A header has printable ASCII characters only.")
        return value

    def save(self, commit: bool = True) -> Peer:
        given = self.cleaned_data["new_authorization"]
        if given:
            self.instance.stow_authorization = "" if given == "-" else given
        return super().save(commit)


@admin.register(Peer)
class PeerAdmin(RoomAdmin):
    """DICOM nodes that the site works with: deny by default, who is not here is rejected."""

    may_add = may_change = may_delete = True
    form = PeerForm
    list_display = ["name", "ae_title", "host", "port", "may_send", "receives_results", "active", "site"]
    list_filter = ["active", "may_send", "receives_results", "site"]
    search_fields = ["name", "ae_title", "host"]
    list_select_related = ["site"]
    ordering = ["name"]
    fieldsets = [
        (None, {"fields": ["site", "name", "ae_title", "host", "active"]}),
        ("It sends to us", {"fields": ["may_send", "called_ae_title"]}),
        (
            "We send results to it",
            {"fields": ["receives_results", "port", "tls", "stow_url", "new_authorization"]},
        ),
    ]


@admin.register(UnknownCaller)
class UnknownCallerAdmin(RoomAdmin):
    """Nodes that were rejected. One click makes a peer of one's site; they belong to no site before."""

    site_path = WHOLE_INSTALLATION
    may_delete = True
    list_display = [
        "ae_title",
        "address",
        "called_ae_title",
        "count",
        "created_at",
        "last_seen_at",
    ]
    search_fields = ["ae_title", "address"]
    ordering = ["-last_seen_at"]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        sites = list(Site.objects.filter(pk__in=sites_of(request)).order_by("name"))
        return [*self.list_display, _buttons(sites)]

    def get_urls(self) -> list[URLPattern]:
        register = self.admin_site.admin_view(self.register_view)
        own = path("<uuid:caller_id>/register/", register, name="scans_unknowncaller_register")
        return [own, *super().get_urls()]

    def register_view(self, request: HttpRequest, caller_id: UUID) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        caller = get_object_or_404(UnknownCaller, pk=caller_id)
        wanted = [pk for pk in sites_of(request) if str(pk) == request.POST.get("site")]
        site = get_object_or_404(Site, pk__in=wanted)
        peer, made = Peer.objects.get_or_create(
            site=site,
            ae_title=caller.ae_title,
            host=caller.address,
            called_ae_title="",
            defaults={"name": f"{caller.ae_title} at {caller.address}"},
        )
        if not made:
            peer.active = peer.may_send = True
            peer.save(update_fields=["active", "may_send"])
        caller.delete()
        self.message_user(request, f"{peer.ae_title} may send to {site.name} now.", messages.SUCCESS)
        return redirect("admin:scans_unknowncaller_changelist")


def _buttons(sites: Sequence[Site]) -> Callable[[UnknownCaller], SafeString]:
    """A column of buttons of the list's own form, so that a click is a POST with its token."""

    @admin.display(description="")
    def register(caller: UnknownCaller) -> SafeString:
        address = reverse("admin:scans_unknowncaller_register", args=[caller.pk])
        return format_html_join(
            " ",
            '<button type="submit" formaction="{}" name="site" value="{}" class="underline">'
            "Register at {}</button>",
            ((address, site.pk, site.name) for site in sites),
        )

    return register


@admin.register(Delivery)
class DeliveryAdmin(RoomAdmin):
    """Results on their way to peers."""

    list_display = ["study", "peer", "instance", "state", "attempts", "last_error", "sent_at", "site"]
    list_filter = ["state", "peer", "site"]
    search_fields = ["=instance__sop_instance_uid", "=study__study_instance_uid", "peer__name"]
    date_hierarchy = "created_at"
    list_select_related = ["study", "peer", "instance", "site"]
    ordering = ["-id"]
    actions = ["send_again"]

    @admin.action(description="Send again now")
    def send_again(self, request: HttpRequest, rows: models.QuerySet[Delivery]) -> None:
        self.message_user(request, f"{send_again(list(rows))} will be sent again.", messages.SUCCESS)


class DeliveryInline(RoomInline):
    """What was sent of a study, on its page."""

    model = Delivery
    fk_name = "study"
    fields = ["instance", "peer", "state", "attempts", "last_error", "sent_at"]
    show_change_link = True
