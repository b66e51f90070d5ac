"""What people type: filters of the worklist, decisions, reports."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import Person, Site
from core.querysets import STAFF_ROLES
from inference.models import Finding
from reports.models import Decision, ReportVersion
from reports.worklist import TABS, Filters
from scans.models import Study

LOBES = (
    "right upper lobe",
    "right middle lobe",
    "right lower lobe",
    "left upper lobe",
    "lingula",
    "left lower lobe",
)


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class WorklistForm(forms.Form):
    """The query string of the worklist."""

    tab = forms.ChoiceField(required=False, choices=[(key, tab.label) for key, tab in TABS.items()])
    q = forms.CharField(required=False, max_length=120, strip=True, label="Text")
    site = forms.ModelChoiceField(Site.objects.none(), required=False, empty_label="All my sites")
    status = forms.ChoiceField(required=False, choices=[("", "Any status"), *Study.Status.choices])
    since = forms.DateField(required=False, widget=DayInput, label="From")
    until = forms.DateField(required=False, widget=DayInput, label="To")
    after = forms.CharField(required=False, max_length=80)
    before = forms.CharField(required=False, max_length=80)

    def __init__(self, person: Person, data: Any) -> None:
        super().__init__(data, auto_id="filter-%s")
        sites = Site.objects.filter(pk__in=person.sites_as(*STAFF_ROLES))
        self.fields["site"].queryset = sites  # type: ignore[attr-defined]

    def filters(self) -> Filters:
        """What was asked, without the fields that make no sense."""
        self.is_valid()
        asked = self.cleaned_data
        site = asked.get("site")
        return Filters(
            tab=asked.get("tab") or "unread",
            site=site.pk if site else None,
            status=asked.get("status") or "",
            since=_midnight(asked.get("since")),
            until=_midnight(asked.get("until"), timedelta(days=1)),
            text=asked.get("q") or "",
        )


def _midnight(day: Any, later: timedelta = timedelta()) -> datetime | None:
    """The beginning of a day, or of the one after it; None without a day, or behind the last one there is."""
    try:
        return None if day is None else timezone.make_aware(datetime.combine(day, time())) + later
    except OverflowError:
        return None


def _axis(label: str) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "0.1", "min": "0.5", "max": "300", "inputmode": "decimal"})
    return forms.FloatField(required=False, min_value=0.5, max_value=300, label=label, widget=widget)


class DecisionForm(forms.Form):
    """What a radiologist says about one finding. Which kinds fit is for the action to say."""

    kind = forms.ChoiceField(choices=Decision.Kind.choices)
    reason = forms.ChoiceField(required=False, choices=[("", ""), *Decision.Reason.choices])
    note = forms.CharField(required=False, max_length=500)
    long_axis_mm = _axis("Long axis, mm")
    short_axis_mm = _axis("Short axis, mm")
    type = forms.ChoiceField(required=False, choices=[("", "unchanged"), *Finding.Type.choices])
    location = forms.CharField(required=False, max_length=64)


class AddNoduleForm(forms.Form):
    """A nodule that the networks did not mark; its place comes from the image."""

    slice_index = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    x_mm = forms.FloatField(widget=forms.HiddenInput)
    y_mm = forms.FloatField(widget=forms.HiddenInput)
    z_mm = forms.FloatField(widget=forms.HiddenInput)
    long_axis_mm = _axis("Long axis, mm")
    short_axis_mm = _axis("Short axis, mm")
    type = forms.ChoiceField(choices=Finding.Type.choices)
    location = forms.ChoiceField(choices=[("", "choose"), *((lobe, lobe) for lobe in LOBES)])
    note = forms.CharField(required=False, max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "add-%s", **kwargs})
        self.fields["long_axis_mm"].required = self.fields["short_axis_mm"].required = True

    def nodule(self) -> dict[str, Any]:
        """Arguments of `reports.actions.add_nodule`."""
        said = dict(self.cleaned_data)
        center = [said.pop(name) for name in ("x_mm", "y_mm", "z_mm")]
        return {**said, "center_mm": center}


class ReportForm(forms.Form):
    """The sections of a report and the revision that they started from."""

    revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "report-%s", **kwargs})
        for name in ReportVersion.SECTIONS:
            rows = {"findings": 8, "impression": 4, "recommendation": 3}.get(name, 2)
            widget = forms.Textarea(attrs={"rows": rows, "maxlength": 20000})
            self.fields[name] = forms.CharField(required=False, max_length=20000, widget=widget)

    def texts(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ReportVersion.SECTIONS}


class PasswordForm(forms.Form):
    """Somebody shows again that it is them."""

    password = forms.CharField(
        max_length=200, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class SignForm(PasswordForm):
    revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class AddendumForm(PasswordForm):
    text = forms.CharField(max_length=20000, widget=forms.Textarea(attrs={"rows": 4}), label="Addendum")

    field_order = ["text", "password"]
