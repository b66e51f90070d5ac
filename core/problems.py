"""Errors as problem details (RFC 9457): what is wrong and what to do next, never an exception's raw text."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response

MEDIA_TYPE = "application/problem+json"


class UserError(Exception):
    """An error whose text is shown to the person: a code, one sentence, and what to do next."""

    status: int = status.HTTP_400_BAD_REQUEST

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Conflict(UserError):
    """The thing has changed since it was looked at, or is in a state that forbids the act."""

    status = status.HTTP_409_CONFLICT


class Forbidden(UserError):
    """The person is known, sees the thing, and may not do this with it."""

    status = status.HTTP_403_FORBIDDEN


def problem(code: str, sentence: str, status_code: int, **more: Any) -> dict[str, Any]:
    """The body of a problem: `type` is a stable code, `detail` a sentence for people."""
    return {
        "type": f"urn:lungportal:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status_code,
        "detail": sentence,
        **more,
    }


def problem_details_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF exception handler that answers every known error as problem details."""
    if isinstance(error, UserError):
        body = problem(error.code, error.sentence, error.status)
        return Response(body, status=error.status, content_type=MEDIA_TYPE)
    from rest_framework.views import exception_handler  # noqa: PLC0415 - the views load these settings

    response = exception_handler(error, context)
    if response is None:
        return None
    response.data = _body(error, response)
    response.content_type = MEDIA_TYPE
    return response


def _body(error: Exception, response: Response) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        sentence = "Some fields are not right; see errors."
        return problem("invalid", sentence, response.status_code, errors=response.data)
    if isinstance(error, Http404 | exceptions.NotFound):
        return problem("not_found", "There is no such thing, or you may not see it.", response.status_code)
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        return problem("not_allowed", "Your role does not allow this.", response.status_code)
    code = getattr(error, "default_code", "error")
    return problem(str(code), str(response.data.get("detail", "The request failed.")), response.status_code)
