"""Errors are problem details (RFC 9457), the schema has no warnings, nothing is open by accident."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

OPEN = {"schema", "api-docs", "healthz"}


def api_routes(patterns=None, prefix=""):
    """(route, pattern) of every address below /api/ and /dicomweb/."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from api_routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and route.startswith(("api/", "dicomweb/")):
            yield route, pattern


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("/api/v1/studies/?status=unknown", 400, "invalid"),
        ("/api/v1/studies/?page_size=2&cursor=nonsense", 404, "not_found"),
        ("/api/v1/studies/00000000-0000-7000-8000-000000000000/", 404, "not_found"),
        ("/api/v1/studies/1.2.3/", 404, "not_found"),
        ("/api/v1/findings/not-a-uuid/", 404, "not_found"),
        ("/api/v1/nothing/here/", 404, "not_found"),
        ("/api/v1/", 404, "not_found"),
    ],
)
def test_errors_of_looks_are_problem_details(api_of, radiologist, url, status, code):
    answer = api_of(radiologist).get(url)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["type"] == f"urn:lungportal:problem:{code}"
    assert answer.json()["status"] == status


def test_errors_of_acts_are_problem_details(api_of, radiologist):
    api = api_of(radiologist)
    broken = api.post("/api/v1/decisions/", "{", content_type="application/json")
    assert (broken.status_code, broken["Content-Type"]) == (400, "application/problem+json")
    wrong = api.delete("/api/v1/studies/")
    assert (wrong.status_code, wrong["Content-Type"]) == (405, "application/problem+json")
    strange = api.post("/api/v1/decisions/", "a,b", content_type="text/csv")
    assert (strange.status_code, strange["Content-Type"]) == (415, "application/problem+json")


def test_the_token_must_be_real(client):
    answer = APIClient(HTTP_AUTHORIZATION="Token 0123456789abcdef").get("/api/v1/studies/")
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")


def test_somebody_without_a_site_gets_nowhere(api_of):
    from tests.factories import PersonFactory

    assert api_of(PersonFactory()).get("/api/v1/studies/").status_code == 403


def test_someone_who_left_gets_nowhere(api_of, radiologist):
    api = api_of(radiologist)
    radiologist.is_active = False
    radiologist.save()
    assert api.get("/api/v1/studies/").status_code == 401


def test_every_route_is_closed_to_those_who_are_not_signed_in():
    import re
    import uuid

    for route, pattern in api_routes():
        if pattern.name in OPEN:
            continue
        url = "/" + re.sub(r"\(\?P<\w+>[^)]*\)|<[^>]+>", str(uuid.uuid4()), route)
        url = re.sub(r"[\^$?\\]|/Z|\\Z", "", url).replace("//", "/")
        for method in ("get", "post", "put", "patch", "delete"):
            assert getattr(APIClient(), method)(url).status_code in (401, 405), (method, url)


def test_a_session_needs_the_csrf_token(radiologist):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(radiologist)
    assert client.get("/api/v1/studies/").status_code == 200
    assert client.post("/api/v1/patients/", {"medical_record_number": "1"}).status_code == 403


def test_the_schema_has_no_warnings():
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=StringIO(), stderr=StringIO())


def test_the_schema_is_served(client):
    answer = client.get("/api/schema/", {"format": "json"})
    assert answer.status_code == 200
    schema = answer.json()
    assert "/api/v1/findings/" in schema["paths"]
    assert "Problem" in schema["components"]["schemas"]


def test_the_page_about_the_api_needs_nothing_from_elsewhere_and_no_inline_script(client):
    page = client.get("/api/docs/").content.decode()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    scripts = [tag for tag in page.split("<script")[1:]]
    assert scripts
    assert all("src=" in tag.split(">")[0] for tag in scripts)
