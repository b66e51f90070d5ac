"""The admin console runs on Alpine.js, which evaluates expressions; its pages alone get a policy for that."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest
from django.http.response import HttpResponseBase

LOOSER = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}


class AdminPolicyMiddleware:
    """Stands after the middleware of django-csp, which adds these sources to the policy of the house."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        match = request.resolver_match
        if match is not None and match.app_names == ["admin"]:
            response._csp_update = LOOSER  # type: ignore[attr-defined]
        return response
