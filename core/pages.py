"""What every page view shares: sign-in, errors for people, answers to htmx."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_http_methods

from core.problems import UserError

View = Callable[..., HttpResponseBase]

UNPROCESSABLE = 422


def page(*methods: str) -> Callable[[View], View]:
    """A page for people who are signed in, errors answered as sentences.

    The browser keeps nothing of it, unless the view itself says how long.
    """

    def wrap(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except UserError as error:
                return sentence(request, error)

        signed_in: View = login_required(require_http_methods(methods or ("GET", "HEAD"))(answer))

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            response = signed_in(request, *args, **kwargs)
            if not response.has_header("Cache-Control"):
                add_never_cache_headers(response)
            return response

        return guarded

    return wrap


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def sentence(request: HttpRequest, error: UserError) -> HttpResponse:
    """The answer to an error whose text is meant for people: a notice, or a page of its own."""
    if is_htmx(request):
        response = render(request, "components/notice.html", {"error": error}, status=error.status)
        response["HX-Retarget"] = "#notices"
        response["HX-Reswap"] = "beforeend"
        return response
    return render(request, "refused.html", {"error": error}, status=error.status)
