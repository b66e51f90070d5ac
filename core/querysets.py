"""The first question of every query: what may this person see?"""

from __future__ import annotations

from typing import Any, Protocol, Self, TypeVar, runtime_checkable

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import models

M = TypeVar("M", bound=models.Model)

STAFF_ROLES = ("administrator", "radiologist", "technician")
RESEARCHER = "researcher"


@runtime_checkable
class HasRoles(Protocol):
    """Somebody who works at sites (a person of the accounts room, which lies above this one)."""

    def sites_as(self, *roles: str) -> list[Any]: ...


class SiteQuerySet(models.QuerySet[M]):
    """Rows that hang on a site, seen by its staff; a subclass says what referrers and researchers see."""

    site_path = "site"
    hidden_path = ""
    """Where the moment stands since which the row is hidden from everybody, if it has one."""
    research_path = ""
    """Where it stands that a row holds no identity, if the table is open to research at all."""

    def visible_to(self, person: AbstractBaseUser | AnonymousUser) -> Self:
        """Rows of the sites where this person works; nothing for anybody else."""
        if not person.is_authenticated or not isinstance(person, HasRoles):
            return self.none()
        allowed = models.Q(**{f"{self.site_path}__in": person.sites_as(*STAFF_ROLES)})
        referrer = self.referrer_sees(person.sites_as("referrer"))
        if referrer is not None:
            allowed |= referrer
        if self.research_path:
            released = {f"{self.site_path}__in": person.sites_as(RESEARCHER), self.research_path: True}
            allowed |= models.Q(**released)
        rows = self.filter(**{f"{self.hidden_path}__isnull": True}) if self.hidden_path else self
        return rows.filter(allowed)

    def referrer_sees(self, site_ids: list[Any]) -> models.Q | None:
        """What a referrer of these sites may see: nothing, unless a table says otherwise."""
        return None
