"""Two people at the same moment: real transactions in two threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from core.problems import Conflict
from reports.actions import decide, open_draft, save_draft, sign
from reports.models import Decision, Report
from tests.factories import PASSWORD, PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def study(site):
    return StudyFactory(site=site, ready=True)


@pytest.fixture
def pair(site):
    return [PersonFactory(role="radiologist", site=site) for _ in range(2)]


def both(*acts):
    """Run the acts at the same moment; what each returned or raised."""
    start = Barrier(len(acts))

    def one(act):
        try:
            start.wait(5)
            return act()
        except Conflict as conflict:
            return conflict
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def test_two_who_open_at_once_share_one_draft(study, pair):
    first, second = both(*(lambda person=person: open_draft(person, study) for person in pair))
    assert first == second
    assert Report.objects.get().versions.count() == 1


def test_of_two_who_save_the_same_revision_one_is_told(study, pair):
    report = open_draft(pair[0], study)
    results = both(
        *(
            lambda person=person: save_draft(person, report, revision=1, texts={"impression": str(person)})
            for person in pair
        )
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert report.versions.count() == 2


def test_a_decision_never_slips_in_behind_a_signature(study, pair):
    for finding in study.findings.all():
        decide(pair[0], finding, kind="accept")
    report = open_draft(pair[0], study)
    finding = study.findings.first()
    signed, decided = both(
        lambda: sign(pair[0], report, revision=1, password=PASSWORD),
        lambda: decide(pair[1], finding, kind="reject", reason="scar"),
    )
    assert isinstance(signed, Conflict) != isinstance(decided, Conflict)
    report.refresh_from_db()
    assert Decision.objects.filter(kind="reject").exists() == (report.state == "draft")
