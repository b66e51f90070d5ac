"""Programs sign in with a token; a token of one site opens that site alone."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication as KnoxAuthentication
from rest_framework.request import Request

from accounts.models import Person
from accounts.tokens import narrow


class TokenAuthentication(KnoxAuthentication):
    """`Authorization: Token …`. DRF hands the person on to the Django request, where the audit finds them."""

    def authenticate(self, request: Request) -> tuple[Person, Any] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        person, token = found
        narrow(person, token)
        return person, token


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes it."""

    target_class = "accounts.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token` and a token from the account page.",
        }
