"""What is asked about patients."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.utils import timezone

from patients.models import Patient, RiskProfile


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class PatientForm(forms.ModelForm):  # type: ignore[type-arg]
    """Identity of a patient. The number and its issuer come with the images and stay."""

    family_name = forms.CharField(max_length=64, required=False)
    given_name = forms.CharField(max_length=64, required=False)

    class Meta:
        model = Patient
        fields = ["family_name", "given_name", "birth_date", "sex"]
        widgets = {"birth_date": DayInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        parts = self.instance.name.split("=")[0].split("^")
        self.fields["family_name"].initial = parts[0]
        self.fields["given_name"].initial = parts[1] if len(parts) > 1 else ""

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        for field in ("family_name", "given_name"):
            if any(sign in (said.get(field) or "") for sign in "^=\\"):
                self.add_error(field, "A name cannot hold the signs ^, = and \\.")
        return said

    def clean_birth_date(self) -> date | None:
        return _not_in_future(self.cleaned_data["birth_date"])

    def save(self, commit: bool = True) -> Patient:
        """Write the name back as DICOM keeps it; middle names, prefixes and other scripts stay."""
        alphabetic, *scripts = self.instance.name.split("=")
        rest = alphabetic.split("^")[2:]
        said = self.cleaned_data
        parts = [said["family_name"], said["given_name"], *rest]
        self.instance.name = "=".join(["^".join(parts).rstrip("^"), *scripts])
        saved: Patient = super().save(commit)
        return saved


class RiskProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """A dated statement; earlier ones stay."""

    class Meta:
        model = RiskProfile
        fields = [
            "stated_on",
            "smoking",
            "cigarettes_per_day",
            "years_smoked",
            "quit_date",
            "family_history",
            "emphysema",
            "copd",
            "earlier_cancer",
            "education",
            "height_cm",
            "weight_kg",
            "race",
        ]
        widgets = {"stated_on": DayInput, "quit_date": DayInput}
        labels = {
            "height_cm": "Height, cm",
            "weight_kg": "Weight, kg",
            "smoking": "Smoking status",
            "earlier_cancer": "Earlier cancer",
        }

    def __init__(self, *args: Any, birth_date: date | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "risk-%s", **kwargs})
        self.birth_date = birth_date
        self.fields["stated_on"].initial = timezone.localdate()

    def clean_stated_on(self) -> date | None:
        return _not_in_future(self.cleaned_data["stated_on"])

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        self._check_smoking(said)
        self._check_quit_date(said)
        return said

    def _check_smoking(self, said: dict[str, Any]) -> None:
        smoked = [name for name in ("cigarettes_per_day", "years_smoked", "quit_date") if said.get(name)]
        if said.get("smoking") == RiskProfile.Smoking.NEVER:
            for name in smoked:
                self.add_error(name, "Somebody who never smoked has none.")
        if said.get("smoking") == RiskProfile.Smoking.CURRENT and said.get("quit_date"):
            self.add_error("quit_date", "Somebody who smokes has not quit.")

    def _check_quit_date(self, said: dict[str, Any]) -> None:
        quit_date, stated = said.get("quit_date"), said.get("stated_on")
        if quit_date and stated and quit_date > stated:
            self.add_error("quit_date", "This lies after the day of the statement.")
        if quit_date and self.birth_date and quit_date < self.birth_date:
            self.add_error("quit_date", "This lies before the birth of the patient.")


def _not_in_future(day: date | None) -> date | None:
    if day is not None and day > timezone.localdate():
        raise forms.ValidationError("This day lies in the future.")
    return day
