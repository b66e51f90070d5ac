"""Nobody sees another site: every address that takes a key is tried with every key of another hospital."""

from __future__ import annotations

import re
import uuid

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Membership
from inference.single.models import SingleImage
from tests.factories import (
    DecisionFactory,
    InstanceFactory,
    JobFactory,
    PersonFactory,
    ReportFactory,
    StudyFactory,
    UploadFactory,
    VolumeFactory,
)

pytestmark = pytest.mark.django_db

KEY = re.compile(r"<uuid:\w+>|\(\?P<pk>[^)]*\)")
OTHER_PARTS = {
    r"<int:\w+>": "0",
    r"<str:study_instance_uid>": "1.2.826.0.1.3680043.8.498.1.0",
    r"<str:\w+>": "x",
}
METHODS = ("get", "post", "patch", "put", "delete")
HIDDEN = (404, 405)  # 405: the method itself is not there


def routes(patterns=None, prefix=""):
    """Every route with a key in it, the admin console apart (tests/admin)."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if route.startswith("admin/"):
            continue
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and KEY.search(route):
            yield route


def address(route: str, key: object) -> str:
    url = KEY.sub(str(key), route)
    for part, value in OTHER_PARTS.items():
        url = re.sub(part, value, url)
    return "/" + re.sub(r"[\^$]|\\Z|\?$", "", url).replace("/?", "/")


@pytest.fixture
def theirs(other_site):
    """The keys of one of everything at another hospital."""
    study = StudyFactory(site=other_site, ready=True)
    series = study.read_series
    colleague = PersonFactory(role="radiologist", site=other_site)
    rows = [
        SingleImage.objects.create(site=other_site, person=colleague, stored="gone", rows=1, columns=1),
        study,
        study.patient,
        series,
        study.findings.first(),
        study.readings.get(),
        JobFactory(volume=VolumeFactory(series=series)),
        DecisionFactory(finding=study.findings.first()),
        ReportFactory(study=study, final=True),
        InstanceFactory(series=series),
        UploadFactory(site=other_site),
        PersonFactory(role="technician", site=other_site),
    ]
    return [row.pk for row in rows]


def test_there_are_routes_with_keys():
    assert len(list(routes())) > 20


@pytest.mark.parametrize("role", Membership.Role.values)
def test_keys_of_another_hospital_open_nothing_on_the_pages(role, request, client_of, theirs):
    browser = client_of(request.getfixturevalue(role))
    for route in routes():
        if route.startswith("api/"):
            continue
        for key in theirs:
            url = address(route, key)
            assert browser.get(url).status_code in HIDDEN, url
            assert browser.post(url).status_code in HIDDEN, url


@pytest.mark.parametrize("role", Membership.Role.values)
def test_keys_of_another_hospital_open_nothing_in_the_api(role, request, api_of, theirs):
    api = api_of(request.getfixturevalue(role))
    for route in routes():
        if not route.startswith("api/"):
            continue
        for key in theirs:
            url = address(route, key)
            for method in METHODS if role == "radiologist" else METHODS[:2]:
                assert getattr(api, method)(url).status_code in HIDDEN, (method, url)


def test_a_key_that_never_was_answers_like_a_foreign_one(radiologist, client_of, theirs):
    browser = client_of(radiologist)
    for route in routes():
        if not route.startswith("api/"):
            assert browser.get(address(route, uuid.uuid4())).status_code in HIDDEN, route
