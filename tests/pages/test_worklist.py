"""The worklist: order, tabs, filters, pages, live rows, and a constant number of queries."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.core.cache import cache
from django.urls import reverse

from reports import worklist
from scans.models import Study
from tests.factories import JobFactory, PatientFactory, SeriesFactory, StudyFactory, VolumeFactory

pytestmark = pytest.mark.django_db

QUERIES = 12
"""Session, person, roles, studies, counts, queue, audit, savepoints: not one for a row."""


@pytest.fixture(autouse=True)
def _no_counts_of_other_tests():
    cache.clear()


@pytest.fixture
def browser(radiologist, client_of):
    return client_of(radiologist)


def study(site, name, priority=0.0, **fields):
    fields.setdefault("status", "ready")
    return StudyFactory(
        site=site,
        patient=PatientFactory(site=site, name=name),
        with_reading=False,
        priority=priority,
        scan_probability=priority or None,
        **fields,
    )


def names(answer):
    return re.findall(r'class="strong">([A-Z]+)', answer.content.decode())


def test_the_most_suspicious_comes_first(site, browser):
    for name, priority in (("LOW", 0.1), ("HIGH", 0.9), ("MID", 0.4)):
        study(site, name, priority)
    assert names(browser.get("/")) == ["HIGH", "MID", "LOW"]


@pytest.mark.parametrize(
    ("tab", "shown"),
    [
        ("unread", {"UNREAD", "RUN", "FAIL", "REFUSED"}),
        ("draft", {"DRAFT"}),
        ("running", {"RUN"}),
        ("not_read", {"REFUSED"}),
        ("failed", {"FAIL"}),
        ("final", {"FINAL"}),
        ("all", {"UNREAD", "RUN", "FAIL", "REFUSED", "DRAFT", "FINAL"}),
        ("nonsense", {"UNREAD", "RUN", "FAIL", "REFUSED"}),
    ],
)
def test_each_tab_holds_its_studies_and_counts_them(tab, shown, site, browser):
    study(site, "UNREAD")
    study(site, "RUN", status="reading")
    study(site, "FAIL", status="failed")
    study(site, "REFUSED", status="not_read")
    study(site, "DRAFT", review="draft")
    study(site, "FINAL", review="final")
    answer = browser.get("/", {"tab": tab})
    assert set(names(answer)) == shown
    if tab != "nonsense":
        assert f'id="count-{tab}">{len(shown)}<' in answer.content.decode()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"q": "doe"}, {"DOE"}),
        ({"q": "a777"}, {"ROE"}),
        ({"status": "failed"}, {"MAY"}),
        ({"since": "2026-05-01"}, {"MAY"}),
        ({"until": "2026-03-31"}, {"DOE"}),
        ({"since": "2026-04-10", "until": "2026-04-10"}, {"ROE"}),
        ({"since": "not a date"}, {"DOE", "ROE", "MAY"}),
    ],
)
def test_filters_stand_in_the_query_string(query, shown, site, browser):
    study(site, "DOE", started_at=datetime(2026, 3, 12, tzinfo=UTC))
    study(site, "ROE", started_at=datetime(2026, 4, 10, 23, tzinfo=UTC), accession_number="a777")
    study(site, "MAY", started_at=datetime(2026, 5, 2, tzinfo=UTC), status="failed")
    assert set(names(browser.get("/", {"tab": "all", **query}))) == shown


def follow(browser, address, rel):
    text = browser.get(address).content.decode()
    link = re.search(rf'rel="{rel}" href="([^"]+)"', text)
    return link and "/" + link.group(1).replace("&amp;", "&")


@pytest.mark.parametrize("tab", ["unread", "all"])
def test_pages_cover_every_study_once_forwards_and_backwards(tab, site, browser, monkeypatch):
    monkeypatch.setattr(worklist, "PAGE", 4)
    for number in range(10):
        study(site, f"P{'ABCDEFGHIJ'[number]}", priority=0.5 if number % 2 else 0.25)
    address, seen, addresses = f"/?tab={tab}", [], []
    while address:
        seen += names(browser.get(address))
        addresses.append(address)
        address = follow(browser, address, "next")
    assert len(seen) == len(set(seen)) == 10
    back = follow(browser, addresses[-1], "prev")
    assert names(browser.get(back)) == seen[4:8]
    first = follow(browser, back, "prev")
    assert names(browser.get(first)) == seen[:4]
    assert follow(browser, first, "prev") is None


def test_a_cursor_that_nobody_gave_out_leads_to_the_first_page(site, browser):
    assert browser.get("/", {"after": "0.5_nonsense"}).status_code == 302


def test_the_number_of_queries_does_not_grow_with_the_rows(
    site, browser, django_assert_max_num_queries, django_assert_num_queries
):
    study(site, "ONE", status="reading")
    cache.clear()
    with django_assert_max_num_queries(QUERIES) as few:
        browser.get("/")
    for _ in range(30):
        study(site, "MANY", status="waiting")
    cache.clear()
    with django_assert_num_queries(len(few)):
        browser.get("/")


def test_rows_that_run_are_asked_about_until_all_are_settled(site, browser):
    settled, running = (
        study(site, "DONE"),
        study(site, "RUN", status="reading", stage="outlines", progress=0.62),
    )
    page = browser.get("/").content.decode()
    assert f"?ids={running.pk}" in page
    live = browser.get(reverse("worklist-live"), {"ids": str(running.pk)}).content.decode()
    assert "outlines · 62 %" in live
    assert 'hx-trigger="every 3s"' in live
    Study.objects.filter(pk=running.pk).update(status="ready")
    live = browser.get(reverse("worklist-live"), {"ids": f"{running.pk},{settled.pk}"}).content.decode()
    assert "hx-trigger" not in live
    assert f'id="row-{running.pk}"' in live


def test_a_waiting_study_says_its_place_in_the_queue(site, browser):
    for name in ("FIRST", "SECOND"):
        one = study(site, name, status="waiting")
        JobFactory(volume=VolumeFactory(series=SeriesFactory(study=one)))
    text = browser.get("/").content.decode()
    assert "next in the queue" in text
    assert "1 job ahead" in text


def test_an_empty_worklist_says_what_to_do(browser):
    text = browser.get("/").content.decode()
    assert "Nothing is waiting to be read." in text
    assert reverse("upload") in text


def test_next_goes_down_the_unread_and_starts_again_at_the_top(site, browser):
    high, mid, low = (study(site, name, p) for name, p in (("HIGH", 0.9), ("MID", 0.5), ("LOW", 0.1)))

    def after(one):
        return browser.get(reverse("next-unread", args=[one.pk]))["Location"]

    assert after(high) == reverse("study", args=[mid.pk])
    assert after(low) == reverse("study", args=[high.pk])
    Study.objects.update(review="final")
    assert after(low) == "/"


def test_names_in_other_scripts_and_with_markup_are_shown_as_text(site, browser):
    study(site, "NAKAMURA^Hanako=中村^花子")
    study(site, "<script>alert(1)</script>^X")
    text = browser.get("/").content.decode()
    assert "中村 花子" in text
    assert "<script>alert" not in text.lower()
