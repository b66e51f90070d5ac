"""The first question of every query: what may this person see?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import models

if TYPE_CHECKING:
    from accounts.models import Person

M = TypeVar("M", bound=models.Model)

STAFF_ROLES = ("administrator", "radiologist", "technician")


class SiteQuerySet(models.QuerySet[M]):
    """Rows that hang on a site, seen by its staff; a subclass says what else a referrer may see."""

    site_path = "site"

    def visible_to(self, person: Person | AnonymousUser) -> Self:
        """Rows of the sites where this person works; nothing for anybody else."""
        if not person.is_authenticated:
            return self.none()
        allowed = models.Q(**{f"{self.site_path}__in": person.sites_as(*STAFF_ROLES)})
        referrer = self.referrer_sees(person.sites_as("referrer"))
        return self.filter(allowed if referrer is None else allowed | referrer)

    def referrer_sees(self, site_ids: list[Any]) -> models.Q | None:
        """What a referrer of these sites may see: nothing, unless a table says otherwise."""
        return None
