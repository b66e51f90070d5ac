"""Whatever is typed into an address is answered as something that is not there, never as a crash."""

from __future__ import annotations

import base64
from urllib.parse import urlencode

import pytest

from scans.models import Study
from tests.factories import SeriesFactory, StudyFactory

pytestmark = pytest.mark.django_db


def cursor(position: str, offset: int = 0) -> str:
    return base64.b64encode(urlencode({"p": position, "o": offset}).encode()).decode()


@pytest.mark.parametrize(
    "address",
    [
        "/patients/?q=%00",
        "/patients/?q=" + "a+" * 100,
        "/patients/?after=%00",
        "/reports/?q=%00",
        "/?q=%00&until=9999-12-31",
        "/?until=9999-12-31",
        "/?since=0001-01-01",
        "/?after=nan_x",
        "/?tab=x&site=x&status=x",
        "/patients/%00/",
        "/studies/%00/",
    ],
)
def test_pages_take_odd_addresses(address, radiologist, client_of):
    assert client_of(radiologist).get(address).status_code in (200, 302, 404)


@pytest.mark.parametrize(
    "address",
    [
        "patients/?search=%00",
        "patients/?search=" + "a+" * 2000,
        "patients/%00/",
        "patients/?page_size=abc",
        "studies/------------------------------------/",
        "studies/?study_instance_uid=%00",
        "studies/?started_before=9999-12-31",
        "findings/?study=no",
        "nowhere/%00",
        f"patients/?cursor={cursor('no')}",
        f"patients/?cursor={cursor(chr(0))}",
        f"findings/?cursor={cursor('no')}",
        f"studies/?ordering=most_suspicious&cursor={cursor('no')}",
        f"studies/?cursor={cursor('0190aaaa-0000-7000-8000-000000000000', 10**30)}",
    ],
)
def test_the_api_takes_odd_addresses(address, radiologist, api_of):
    assert api_of(radiologist).get(f"/api/v1/{address}").status_code in (200, 400, 404)


@pytest.mark.parametrize("rest", ["slices/99999999999999999999/", "slices/0/?volume=%00", "slices/5/"])
def test_slices_that_are_not_there(rest, site, radiologist, client_of):
    series = SeriesFactory(study=StudyFactory(site=site))
    assert client_of(radiologist).get(f"/scans/series/{series.pk}/{rest}").status_code == 404


def test_a_list_of_many_equal_rows_comes_to_its_end(site, radiologist, api_of):
    """Pages by suspicion beyond a thousand studies without a figure: each study once, and an end."""
    patient = StudyFactory(site=site).patient
    Study.objects.bulk_create(
        Study(site=site, patient=patient, study_instance_uid=f"2.25.{n}") for n in range(1200)
    )
    api, address, seen = api_of(radiologist), "/api/v1/studies/?ordering=most_suspicious&page_size=200", []
    while address and len(seen) <= 1400:
        page = api.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert len(seen) == len(set(seen)) == 1201
