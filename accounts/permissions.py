"""Who may use the API at all, and which role an act needs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission

from core.problems import Forbidden

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from accounts.models import Person


class IsMember(BasePermission):
    """Somebody who is signed in, active, and belongs to at least one site; everybody else is refused."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        person = request.user
        return bool(person.is_authenticated and person.is_active and person.roles)


def person_of(request: Request | HttpRequest) -> Person:
    """Who asks, after `IsMember` has let them in."""
    from accounts.models import Person  # noqa: PLC0415 - DRF loads this module before the models

    if not isinstance(request.user, Person):
        raise NotAuthenticated
    return request.user


def require_role(person: Person, site_id: UUID, *roles: str) -> None:
    """Raise Forbidden unless the person has one of the roles at the site."""
    if not person.has_role(site_id, *roles):
        wanted = " or ".join(roles)
        raise Forbidden("role_needed", f"This needs the role of {wanted} at this site.")
