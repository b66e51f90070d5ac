"""Sites, the people who work there, and their roles."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower

from core.identifiers import uuid7
from core.models import Row


class Site(Row):
    """A hospital or clinic: owner of its patients and of everything under them."""

    code = models.SlugField(max_length=32, unique=True)
    name = models.CharField(max_length=120)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PersonManager(BaseUserManager["Person"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> Person:
        person = self.model(email=self.normalize_email(email).lower(), **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> Person:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class Person(AbstractBaseUser, PermissionsMixin):
    """Somebody who signs in, by e-mail address."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("may use the admin console", default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = PersonManager()

    class Meta:
        ordering = ["email"]
        verbose_name_plural = "people"
        constraints = [models.UniqueConstraint(Lower("email"), name="person_email_once")]

    def __str__(self) -> str:
        return self.name or self.email

    @cached_property
    def roles(self) -> dict[uuid.UUID, set[str]]:
        """Roles of this person per site; one query per request."""
        found: dict[uuid.UUID, set[str]] = {}
        for site_id, role in self.memberships.values_list("site_id", "role"):
            found.setdefault(site_id, set()).add(role)
        return found

    def sites_as(self, *roles: str) -> list[uuid.UUID]:
        """Sites where this person has one of these roles."""
        return [site for site, held in self.roles.items() if held & set(roles)]

    def has_role(self, site_id: uuid.UUID, *roles: str) -> bool:
        return bool(self.roles.get(site_id, set()) & set(roles))

    @property
    def is_only_referrer(self) -> bool:
        held = set().union(*self.roles.values()) if self.roles else set()
        return held == {"referrer"}


class Membership(Row):
    """The role of a person at a site."""

    class Role(models.TextChoices):
        ADMINISTRATOR = "administrator"
        RADIOLOGIST = "radiologist"
        TECHNICIAN = "technician"
        REFERRER = "referrer"
        RESEARCHER = "researcher"

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "site", "role"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.person}: {self.role} at {self.site}"


class TokenSite(Row):
    """The one site that a token opens; a token without such a row opens all sites of its person."""

    token_digest = models.CharField(max_length=128, unique=True)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"token for {self.site}"
