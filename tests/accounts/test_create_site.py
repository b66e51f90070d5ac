"""New sites are made on the command line."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Person, Site

pytestmark = pytest.mark.django_db


def make(*arguments: str) -> str:
    out = StringIO()
    call_command("create_site", *arguments, stdout=out)
    return out.getvalue()


def test_a_new_administrator_gets_a_password_that_works() -> None:
    printed = make("east", "East Clinic", "--administrator", "Boss@East.example")

    person = Person.objects.get(email="boss@east.example")
    assert person.check_password(printed.split(": ")[-1].strip())
    assert person.has_role(Site.objects.get(code="east").pk, "administrator")


def test_a_known_person_keeps_the_password(administrator: Person) -> None:
    before = administrator.password
    printed = make("east", "East Clinic", "--administrator", administrator.email)

    administrator.refresh_from_db()
    assert "password" not in printed
    assert (administrator.password, administrator.is_staff) == (before, True)


def test_a_code_is_given_once(site: Site) -> None:
    with pytest.raises(CommandError, match="already"):
        make("north", "Another", "--administrator", "boss@east.example")
