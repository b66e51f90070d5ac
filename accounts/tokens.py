"""Tokens for programs, each for one site if so wished."""

from __future__ import annotations

from knox.models import AuthToken, get_token_model

from accounts.models import Person, Site, TokenSite


def create_token(person: Person, site: Site | None = None) -> str:
    """Make a token and return it; only its hash is kept. With a site it opens that site alone."""
    row, token = get_token_model().objects.create(person)
    if site is not None:
        TokenSite.objects.create(token_digest=row.digest, site=site)
    return str(token)


def narrow(person: Person, token: AuthToken) -> None:
    """Keep only the roles at the token's site, where the token is for one."""
    bound = TokenSite.objects.filter(token_digest=token.digest).values_list("site_id", flat=True).first()
    if bound is not None:
        person.roles = {site: held for site, held in person.roles.items() if site == bound}
