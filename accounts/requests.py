"""Requests of people who are signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest

if TYPE_CHECKING:
    from accounts.models import Person


class PersonRequest(HttpRequest):
    """What `core.pages.page` hands to a view: a request whose user is a person."""

    if TYPE_CHECKING:
        user: Person
