"""The one place where looks at and changes of patient data are recorded.

Views: the middleware writes an entry for every request of a signed-in person, unless the view carries
`audit_exempt` with its reason, so that a new page is recorded without anybody thinking of it.
Changes: a receiver on every model of our rooms that hangs on a site writes an entry in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any, TypeVar

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.cache import cache
from django.db import models
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from core.identifiers import uuid7
from core.models import AuditEntry

View = TypeVar("View", bound=Callable[..., Any])

_request: ContextVar[HttpRequest | None] = ContextVar("audited_request", default=None)
_silence: ContextVar[bool] = ContextVar("audit_covered_by_another_entry", default=False)

ROOMS = ("accounts", "patients", "scans", "inference", "reports")
EXEMPT_ROUTES = ("account_login", "account_logout", "healthz")


def audit_exempt(reason: str) -> Callable[[View], View]:
    """Leave a view out of the record of looks; the reason says which other entry covers it."""
    if not reason:
        raise ValueError("Say which other entry covers the view.")

    def mark(view: View) -> View:
        view.audit_exempt = reason  # type: ignore[attr-defined]
        return view

    return mark


def audited_once_per(*, minutes: int) -> Callable[[View], View]:
    """Record looks through a view that a page calls again and again (slices, progress) once in a while.

    One entry for each person and thing in so many minutes; each look, where the cache is away.
    """

    def mark(view: View) -> View:
        view.audited_every_s = minutes * 60  # type: ignore[attr-defined]
        return view

    return mark


def record(
    action: AuditEntry.Action,
    target: models.Model | None = None,
    *,
    person: Any = None,
    route: str = "",
    fields: list[str] | None = None,
    status: int | None = None,
) -> AuditEntry:
    """Write one entry; the person defaults to the one whose request is being answered."""
    request = _request.get()
    person = person or getattr(request, "user", None)
    known = person is not None and getattr(person, "is_authenticated", False)
    return AuditEntry.objects.create(
        person_id=person.pk if known else None,
        person_name=str(person) if known else "",
        site_id=getattr(target, "site_id", None),
        action=action,
        target_type=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        route=route,
        fields=fields or [],
        status=status,
        address=_address(request),
        request_id=getattr(request, "request_id", ""),
    )


@contextmanager
def covered() -> Iterator[None]:
    """Within this block changes write no entry of their own: the caller records one for all of them."""
    token = _silence.set(True)
    try:
        yield
    finally:
        _silence.reset(token)


class AuditMiddleware:
    """Records each look of a signed-in person, and gives every request an id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.request_id = str(uuid7())  # type: ignore[attr-defined]
        token = _request.set(request)
        try:
            response = self.get_response(request)
            if _is_a_look(request) and not _recorded_lately(request):
                _record_look(request, response)
        finally:
            _request.reset(token)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response


def _is_a_look(request: HttpRequest) -> bool:
    match = request.resolver_match
    if match is None or match.view_name in EXEMPT_ROUTES:
        return False
    view = getattr(match.func, "view_class", None) or getattr(match.func, "cls", None) or match.func
    return not (hasattr(view, "audit_exempt") or hasattr(match.func, "audit_exempt"))


def _recorded_lately(request: HttpRequest) -> bool:
    match = request.resolver_match
    every_s = getattr(match.func, "audited_every_s", None) if match is not None else None
    if match is None or every_s is None:
        return False
    person = getattr(request, "user", None)
    thing = next(iter(match.kwargs.values()), "")
    key = f"audited:{getattr(person, 'pk', '')}:{match.view_name}:{thing}"
    return not cache.add(key, True, every_s)


def _record_look(request: HttpRequest, response: HttpResponseBase) -> None:
    person = getattr(request, "drf_user", None) or getattr(request, "user", None)
    if person is None or not person.is_authenticated:
        return
    match = request.resolver_match
    assert match is not None  # noqa: S101 - `_is_a_look` has seen it
    refused = response.status_code in (401, 403, 404)
    AuditEntry.objects.create(
        person_id=person.pk,
        person_name=str(person),
        action=AuditEntry.Action.REFUSED if refused else AuditEntry.Action.VIEW,
        target_type=match.view_name or "",
        target_id=str(next(iter(match.kwargs.values()), "")).replace("\0", "")[:64],
        route=f"{request.method} {match.route}"[:128],
        status=response.status_code,
        address=_address(request),
        request_id=getattr(request, "request_id", ""),
    )


def _address(request: HttpRequest | None) -> str | None:
    """Where the request came from; nothing where a header made up something that is no address."""
    stated = request.META.get("REMOTE_ADDR", "") if request is not None else ""
    try:
        return str(ip_address(stated))
    except ValueError:
        return None


def _audited(sender: type[models.Model]) -> bool:
    return sender._meta.app_label in ROOMS and hasattr(sender, "site_id") and not _silence.get()


def _on_save(sender: type[models.Model], instance: models.Model, created: bool, **more: Any) -> None:
    if _audited(sender):
        fields = sorted(more.get("update_fields") or [])
        record(AuditEntry.Action.CREATE if created else AuditEntry.Action.CHANGE, instance, fields=fields)


def _on_delete(sender: type[models.Model], instance: models.Model, **more: Any) -> None:
    if _audited(sender):
        record(AuditEntry.Action.DELETE, instance)


def _on_sign_in(request: HttpRequest, user: Any, **_: Any) -> None:
    record(AuditEntry.Action.SIGN_IN, person=user)


def _on_sign_out(request: HttpRequest, user: Any, **_: Any) -> None:
    record(AuditEntry.Action.SIGN_OUT, person=user)


def _on_sign_in_failed(**_: Any) -> None:
    """The address typed is not kept: people type passwords there."""
    record(AuditEntry.Action.SIGN_IN_FAILED)


def connect() -> None:
    """Called once when the apps are ready."""
    user_logged_in.connect(_on_sign_in, dispatch_uid="audit.sign_in")
    user_logged_out.connect(_on_sign_out, dispatch_uid="audit.sign_out")
    user_login_failed.connect(_on_sign_in_failed, dispatch_uid="audit.sign_in_failed")
    post_save.connect(_on_save, dispatch_uid="audit.save")
    post_delete.connect(_on_delete, dispatch_uid="audit.delete")
