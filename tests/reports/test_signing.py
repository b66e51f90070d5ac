"""Draft, save, sign, add: two people on one draft are told, and a final report stays as it is."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from core.models import AuditEntry
from core.problems import Conflict, Forbidden, UserError
from reports.actions import (
    add_addendum,
    decide,
    edited_by_other,
    open_draft,
    redraft,
    save_draft,
    sign,
)
from reports.models import ReportVersion
from tests.factories import (
    PASSWORD,
    PersonFactory,
    ReadingFactory,
    ReportFactory,
    SeriesFactory,
    StudyFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(site):
    return StudyFactory(site=site, ready=True)


@pytest.fixture
def colleague(site):
    return PersonFactory(role="radiologist", site=site, name="Colleague")


@pytest.fixture
def decided(radiologist, study):
    """A study with every finding decided, and its draft."""
    first, *others = study.findings.all()
    decide(radiologist, first, kind="accept")
    for finding in others:
        decide(radiologist, finding, kind="reject", reason="vessel")
    return open_draft(radiologist, study)


def test_opening_writes_a_first_version_from_the_decisions(decided):
    version = decided.versions.get()
    assert version.findings.startswith("Nodule 1: solid, right lung, 13.0 x 9.4 mm (mean 11.2 mm), series 3")
    assert version.comparison == "None available."
    assert version.impression.startswith("One pulmonary nodule")
    assert version.software["marks"] == {
        "shown": 3,
        "accepted": 1,
        "rejected": 2,
        "corrected": 0,
        "undecided": 0,
        "added": 0,
    }
    assert [nodule["status"] for nodule in version.nodules] == ["accepted", "rejected", "rejected"]


def test_opening_twice_writes_nothing_more(radiologist, study, decided):
    assert open_draft(radiologist, study) == decided
    assert ReportVersion.objects.count() == 1


def test_the_second_person_on_a_draft_is_told_who_is_there(radiologist, colleague, study, decided):
    seen = open_draft(colleague, study)
    assert edited_by_other(seen, colleague) == radiologist
    assert edited_by_other(seen, radiologist) is None


def test_two_minutes_later_the_draft_is_free(radiologist, colleague, study, decided):
    decided.editing_at = timezone.now() - dt.timedelta(minutes=3)
    decided.save()
    assert edited_by_other(open_draft(colleague, study), colleague) is None
    decided.refresh_from_db()
    assert decided.editing_by == colleague


def test_saving_appends_a_version_and_keeps_the_other_sections(radiologist, decided):
    version = save_draft(radiologist, decided, revision=1, texts={"impression": "Mine."})
    assert (version.revision, version.impression, version.comparison) == (2, "Mine.", "None available.")
    assert list(decided.versions.order_by("revision").values_list("revision", flat=True)) == [1, 2]


def test_saving_the_same_again_writes_nothing(radiologist, decided):
    save_draft(radiologist, decided, revision=1, texts={})
    assert decided.versions.count() == 1


def test_who_saves_over_a_newer_version_is_told_who_was_there(radiologist, colleague, decided):
    save_draft(colleague, decided, revision=1, texts={"impression": "Theirs."})
    with pytest.raises(Conflict, match="Colleague saved this report") as refused:
        save_draft(radiologist, decided, revision=1, texts={"impression": "Mine."})
    assert refused.value.code == "edited_by_other"
    assert decided.versions.latest().impression == "Theirs."


@pytest.mark.parametrize(
    "texts",
    [{"conclusion": "x"}, {"impression": "x" * 20_001}, {"impression": "\0"}],
    ids=lambda t: next(iter(t)),
)
def test_text_that_cannot_be_kept_is_refused(radiologist, decided, texts):
    with pytest.raises(UserError):
        save_draft(radiologist, decided, revision=1, texts=texts)


def test_redraft_gives_fresh_text_and_saves_nothing(radiologist, study, decided):
    decide(radiologist, study.findings.get(number=1), kind="reject", reason="scar")
    assert redraft(radiologist, decided)["impression"] == "No suspicious pulmonary nodule."
    assert decided.versions.count() == 1


def test_signing_makes_report_and_study_final(radiologist, study, decided):
    report = sign(radiologist, decided, revision=1, password=PASSWORD)
    study.refresh_from_db()
    assert (report.state, report.signed_by, study.review) == ("final", radiologist, "final")
    assert report.final_version.revision == 1
    assert report.signed_at is not None


def test_a_wrong_password_signs_nothing_and_is_recorded(radiologist, decided):
    with pytest.raises(UserError, match="not your password"):
        sign(radiologist, decided, revision=1, password="guess")
    decided.refresh_from_db()
    assert decided.state == "draft"
    assert AuditEntry.objects.filter(action="sign_in_failed", person_id=radiologist.pk).count() == 1


def test_after_five_wrong_passwords_even_the_right_one_waits(radiologist, decided):
    for _ in range(5):
        with pytest.raises(UserError):
            sign(radiologist, decided, revision=1, password="guess")
    with pytest.raises(Forbidden, match="five minutes"):
        sign(radiologist, decided, revision=1, password=PASSWORD)


def test_a_finding_without_a_decision_keeps_the_report_open(radiologist, study):
    report = open_draft(radiologist, study)
    with pytest.raises(UserError, match="Findings 1, 2, 3: accept, correct or reject"):
        sign(radiologist, report, revision=1, password=PASSWORD)


@pytest.mark.parametrize("section", ["comparison", "impression"])
def test_a_required_section_must_be_filled(radiologist, decided, section):
    save_draft(radiologist, decided, revision=1, texts={section: "  "})
    with pytest.raises(UserError, match=f"Fill in {section}"):
        sign(radiologist, decided, revision=2, password=PASSWORD)


def test_an_older_revision_is_not_signed(radiologist, colleague, decided):
    save_draft(colleague, decided, revision=1, texts={"impression": "Theirs."})
    with pytest.raises(Conflict, match="Colleague saved"):
        sign(radiologist, decided, revision=1, password=PASSWORD)


def test_text_older_than_the_decisions_is_not_signed(radiologist, study, decided):
    decide(radiologist, study.findings.get(number=2), kind="accept")
    with pytest.raises(Conflict, match="Decisions changed"):
        sign(radiologist, decided, revision=1, password=PASSWORD)
    save_draft(radiologist, decided, revision=1, texts={})
    assert sign(radiologist, decided, revision=2, password=PASSWORD).state == "final"


def test_a_text_that_saved_itself_does_not_count_as_checked(radiologist, study, decided):
    decide(radiologist, study.findings.get(number=2), kind="accept")
    save_draft(radiologist, decided, revision=1, texts={"impression": "A comma, more."}, checked=False)
    with pytest.raises(Conflict, match="Decisions changed"):
        sign(radiologist, decided, revision=2, password=PASSWORD)


@pytest.mark.parametrize("status", ["received", "waiting", "reading"])
def test_nothing_is_signed_while_the_networks_read(radiologist, study, decided, status):
    study.status = status
    study.save()
    with pytest.raises(Conflict, match="have not finished"):
        sign(radiologist, decided, revision=1, password=PASSWORD)


@pytest.mark.parametrize("role", ["administrator", "technician", "referrer"])
def test_only_radiologists_write_and_sign(site, study, decided, role):
    person = PersonFactory(role=role, site=site)
    for act in (
        lambda: open_draft(person, study),
        lambda: save_draft(person, decided, revision=1, texts={}),
        lambda: redraft(person, decided),
        lambda: sign(person, decided, revision=1, password=PASSWORD),
        lambda: add_addendum(person, decided, text="More.", password=PASSWORD),
    ):
        with pytest.raises(Forbidden):
            act()


def test_a_final_report_is_neither_drafted_nor_signed_again(radiologist, study, decided):
    sign(radiologist, decided, revision=1, password=PASSWORD)
    for act in (
        lambda: open_draft(radiologist, study),
        lambda: save_draft(radiologist, decided, revision=1, texts={"impression": "Other."}),
        lambda: sign(radiologist, decided, revision=1, password=PASSWORD),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "report_is_final"


def test_an_addendum_comes_after_signing_and_with_the_password(radiologist, site):
    report = ReportFactory(study__site=site, final=True)
    with pytest.raises(UserError, match="not your password"):
        add_addendum(radiologist, report, text="More.", password="guess")
    addendum = add_addendum(radiologist, report, text="  More. ", password=PASSWORD)
    assert (addendum.text, addendum.person) == ("More.", radiologist)


def test_a_draft_takes_no_addendum_and_an_addendum_says_something(radiologist, decided):
    with pytest.raises(Conflict, match="still a draft"):
        add_addendum(radiologist, decided, text="More.", password=PASSWORD)
    with pytest.raises(UserError):
        add_addendum(radiologist, decided, text="  ", password=PASSWORD)


def test_a_text_from_before_the_reading_is_not_signed(radiologist, site):
    study = StudyFactory(site=site, not_read=True)
    report = open_draft(radiologist, study)
    save_draft(radiologist, report, revision=1, texts={"impression": "Nothing."})
    ReadingFactory(study=study, findings=0)
    with pytest.raises(Conflict, match="read again"):
        sign(radiologist, report, revision=2, password=PASSWORD)
    save_draft(radiologist, report, revision=2, texts={})
    assert sign(radiologist, report, revision=3, password=PASSWORD).state == "final"


def test_a_draft_says_nothing_negative_before_all_findings_are_decided(radiologist, study):
    version = open_draft(radiologist, study).versions.get()
    assert (version.findings, version.impression) == ("", "")


def test_a_draft_of_a_study_that_nobody_read_claims_nothing(radiologist, site):
    version = open_draft(radiologist, StudyFactory(site=site, not_read=True)).versions.get()
    assert (version.findings, version.impression) == ("", "")


def test_only_earlier_ct_studies_are_named_for_comparison(radiologist, study):
    for month, modality in ((1, "CT"), (2, "MR")):
        moment = dt.datetime(2025, month, 10, tzinfo=dt.UTC)
        earlier = StudyFactory(site=study.site, patient=study.patient, started_at=moment)
        SeriesFactory(study=earlier, modality=modality)
    assert open_draft(radiologist, study).versions.get().comparison == "CT of 10 Jan 2025."
