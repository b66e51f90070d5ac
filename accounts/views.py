"""The account page: who one is, and the tokens of one's programs."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from knox.models import get_token_model

from accounts.forms import TokenForm
from accounts.models import Membership, TokenSite
from accounts.requests import PersonRequest
from accounts.tokens import create_token
from core.audit import record
from core.models import AuditEntry
from core.pages import UNPROCESSABLE, page

LATEST = 10


@page()
def account(request: PersonRequest) -> HttpResponse:
    return _show(request, TokenForm(request.user))


def _show(request: PersonRequest, form: TokenForm, token: str = "", status: int = 200) -> HttpResponse:
    rows = list(get_token_model().objects.filter(user=request.user).order_by("-created"))
    sites = TokenSite.objects.filter(token_digest__in=[row.digest for row in rows]).select_related("site")
    by_digest = {one.token_digest: one.site for one in sites}
    looks = AuditEntry.objects.filter(person_id=request.user.pk, action=AuditEntry.Action.SIGN_IN)
    context = {
        "form": form,
        "token": token,
        "tokens": [(row, by_digest.get(row.digest)) for row in rows],
        "memberships": Membership.objects.filter(person=request.user).select_related("site"),
        "sign_ins": looks.order_by("-created_at")[:LATEST],
    }
    return render(request, "accounts/account.html", context, status=status)


@page("POST")
def create(request: PersonRequest) -> HttpResponse:
    """Make a token; this answer is the only time that it is shown."""
    form = TokenForm(request.user, request.POST)
    if not form.is_valid():
        return _show(request, form, status=UNPROCESSABLE)
    token = create_token(request.user, form.cleaned_data["site"])
    record(AuditEntry.Action.CREATE, person=request.user, route="token")
    return _show(request, TokenForm(request.user), token)


@page("POST")
def revoke(request: PersonRequest, key: str) -> HttpResponse:
    """Revoke one of one's own tokens by its visible first characters."""
    row = get_object_or_404(get_token_model(), user=request.user, token_key=key)
    TokenSite.objects.filter(token_digest=row.digest).delete()
    row.delete()
    record(AuditEntry.Action.DELETE, person=request.user, route="token")
    messages.success(
        request, "The token is revoked; programs that used it are refused from now on.", extra_tags="ok"
    )
    return redirect("account")
