"""What is asked about accounts."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.models import Person, Site


class TokenForm(forms.Form):
    """A new token, for one site if so wished."""

    site = forms.ModelChoiceField(Site.objects.none(), required=False, empty_label="All my sites")

    def __init__(self, person: Person, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["site"].queryset = Site.objects.filter(pk__in=person.roles)  # type: ignore[attr-defined]
