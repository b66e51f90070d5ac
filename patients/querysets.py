"""What may be asked about patients."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db.models import Func, Q, TextField

from core.querysets import SiteQuerySet

if TYPE_CHECKING:
    from patients.models import Patient, RiskProfile

LONGEST_SEARCH = 120
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")


class Trigrams(Func):
    """All runs of three characters of a text: a SQL function of the first migration, no extension needed."""

    function = "lungportal_trigrams"
    output_field = ArrayField(TextField())


def trigrams(text: str) -> list[str]:
    """What `Trigrams` finds in a text."""
    return sorted({text[start : start + 3] for start in range(max(len(text) - 2, 1))})


class PatientQuerySet(SiteQuerySet["Patient"]):
    def referrer_sees(self, site_ids: list[Any]) -> Q:
        """A referrer sees patients with a final report."""
        return Q(site__in=site_ids, pk__in=self._with_final_report())

    def _with_final_report(self) -> Any:
        return self.model._base_manager.filter(studies__review="final").values("pk")

    def matching(self, text: str) -> Self:
        """Patients whose name, number or birth date matches every word of a search.

        A date (2026-03-12 or 20260312) is a birth date; words of three letters and more use the index.
        """
        found = self.alias(grams=Trigrams("search_text"))
        for word in text[:LONGEST_SEARCH].replace("\0", " ").split():
            found = found.filter(_matches(word))
        return found


def _matches(word: str) -> Q:
    upper = word.upper()
    match = Q(search_text__contains=upper)
    if len(upper) > 2:
        match &= Q(grams__contains=trigrams(upper))
    born = _day(word)
    return match if born is None else match | Q(birth_date=born)


def _day(word: str) -> date | None:
    match = _DAY.fullmatch(word)
    try:
        return date(*(int(part) for part in match.groups())) if match else None
    except ValueError:
        return None


class RiskProfileQuerySet(SiteQuerySet["RiskProfile"]):
    pass
