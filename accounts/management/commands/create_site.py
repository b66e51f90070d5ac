"""`bin/manage create_site CODE NAME --administrator EMAIL`: a new site and who administers it."""

from __future__ import annotations

import argparse
import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.models import Membership, Person, Site


class Command(BaseCommand):
    help = "Make a site. Its administrator is made too if unknown; the first password is printed once."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("code", help="short name, letters and digits")
        parser.add_argument("name", help="name as people know it")
        parser.add_argument("--administrator", required=True, metavar="EMAIL")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if Site.objects.filter(code=options["code"]).exists():
            raise CommandError(f"There is already a site with the code {options['code']}.")
        site = Site.objects.create(code=options["code"], name=options["name"])
        person, password = _administrator(options["administrator"].lower())
        Membership.objects.create(person=person, site=site, role=Membership.Role.ADMINISTRATOR)
        self.stdout.write(f"{site.name} is administered by {person.email}.")
        if password:
            self.stdout.write(f"First password, shown once: {password}")


def _administrator(email: str) -> tuple[Person, str]:
    """The person of that address, and the password if they were made just now."""
    known = Person.objects.filter(email=email).first()
    if known is not None:
        Person.objects.filter(pk=known.pk).update(is_staff=True)
        return known, ""
    password = secrets.token_urlsafe(12)
    return Person.objects.create_user(email, password, is_staff=True), password
