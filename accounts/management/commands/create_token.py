"""`bin/manage create_token EMAIL [--site CODE]`: prints a new API token alone on the last line."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Person, Site
from accounts.tokens import create_token


class Command(BaseCommand):
    help = "Make an API token for a person; it is shown once."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--site", help="code of the only site that the token opens")

    def handle(self, *args: Any, **options: Any) -> None:
        person = Person.objects.filter(email=options["email"].lower()).first()
        if person is None:
            raise CommandError(f"There is no person with the e-mail address {options['email']}.")
        self.stdout.write(create_token(person, _site(person, options["site"])))


def _site(person: Person, code: str | None) -> Site | None:
    if not code:
        return None
    site = Site.objects.filter(code=code, pk__in=person.roles).first()
    if site is None:
        raise CommandError(f"{person.email} has no role at a site with the code {code}.")
    return site
