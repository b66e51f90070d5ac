"""Tokens for programs, and the site that images go to."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from knox.models import AuthToken
from rest_framework.test import APIClient

from accounts.models import Membership, Person, Site
from accounts.uploading import site_for_images
from core.problems import Forbidden, UserError
from tests.factories import PatientFactory, StudyFactory

pytestmark = pytest.mark.django_db


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("create_token", *arguments, stdout=out)
    return out.getvalue().strip().splitlines()[-1]


def studies(token: str) -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return len(client.get("/api/v1/studies/").json()["results"])


def test_the_command_prints_a_token_that_opens_the_api(technician: Person, site: Site) -> None:
    StudyFactory(site=site)
    token = printed(technician.email)

    assert studies(token) == 1
    assert not AuthToken.objects.filter(digest=token).exists()


def test_a_token_for_one_site_opens_that_site_alone(technician: Person, site: Site, other_site: Site) -> None:
    Membership.objects.create(person=technician, site=other_site, role="technician")
    StudyFactory(site=site)
    StudyFactory(patient=PatientFactory(site=other_site), site=other_site)

    assert studies(printed(technician.email)) == 2
    assert studies(printed(technician.email, "--site", "south")) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("nobody@north.example",), "no person"), (("technician@north.example", "--site", "south"), "no role")],
)
def test_a_wrong_name_is_told(technician: Person, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        printed(*arguments)


def test_images_go_to_the_only_site_or_to_the_one_named(
    technician: Person, referrer: Person, site: Site, other_site: Site
) -> None:
    assert site_for_images(technician) == site
    with pytest.raises(Forbidden):
        site_for_images(referrer)
    with pytest.raises(Forbidden):
        site_for_images(technician, "south")

    Membership.objects.create(person=technician, site=other_site, role="technician")
    del technician.roles
    with pytest.raises(UserError, match="north, south"):
        site_for_images(technician)
    assert site_for_images(technician, "south") == other_site
