"""People decide; what the networks said stays."""

from __future__ import annotations

import math

import pytest

from core.models import AuditEntry
from core.problems import Conflict, Forbidden, UserError
from inference.models import Finding
from reports.actions import add_nodule, decide, revise_added
from reports.models import Decision
from reports.nodules import nodules_of
from tests.factories import (
    InstanceFactory,
    PersonFactory,
    ReadingFactory,
    ReportFactory,
    StudyFactory,
)

pytestmark = pytest.mark.django_db

A_NODULE = {
    "center_mm": [-40.0, 12.0, -90.0],
    "slice_index": 160,
    "long_axis_mm": 6.0,
    "short_axis_mm": 5.0,
    "type": "non_solid",
    "location": "left upper lobe",
}


@pytest.fixture
def study(site):
    return StudyFactory(site=site, ready=True)


@pytest.fixture
def finding(study):
    return study.findings.get(number=1)


def test_a_fresh_reading_is_undecided(study):
    assert [(n.number, n.status) for n in nodules_of(study)] == [
        (1, "undecided"),
        (2, "undecided"),
        (3, "undecided"),
    ]


@pytest.mark.parametrize(
    ("kind", "more", "status"),
    [
        ("accept", {}, "accepted"),
        ("reject", {"reason": "vessel"}, "rejected"),
        ("correct", {"long_axis_mm": 14.0, "short_axis_mm": 9.0}, "corrected"),
    ],
)
def test_a_decision_gives_the_nodule_its_status(radiologist, study, finding, kind, more, status):
    decide(radiologist, finding, kind=kind, **more)
    assert nodules_of(study)[0].status == status


def test_the_newest_decision_counts_and_both_stay(radiologist, study, finding):
    decide(radiologist, finding, kind="accept")
    decide(radiologist, finding, kind="reject", reason="scar")
    assert nodules_of(study)[0].status == "rejected"
    assert Decision.objects.filter(finding=finding).count() == 2


def test_a_correction_lies_over_what_the_networks_said_and_their_row_stays(radiologist, study, finding):
    decide(
        radiologist,
        finding,
        kind="correct",
        long_axis_mm=15.0,
        type="part_solid",
        location="right upper lobe",
    )
    nodule = nodules_of(study)[0]
    assert (nodule.long_axis_mm, nodule.short_axis_mm, nodule.mean_diameter_mm) == (15.0, 9.4, 12.2)
    assert (nodule.type, nodule.location) == ("part_solid", "right upper lobe")
    assert nodule.volume_mm3 is None  # the outline no longer belongs to that size
    finding.refresh_from_db()
    assert (finding.long_axis_mm, finding.type) == (13.0, "solid")


def test_a_correction_of_the_type_alone_keeps_the_volume(radiologist, study, finding):
    decide(radiologist, finding, kind="correct", type="non_solid")
    assert nodules_of(study)[0].volume_mm3 == 601.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "reject"},
        {"kind": "reject", "reason": "boredom"},
        {"kind": "correct"},
        {"kind": "correct", "type": "liquid"},
        {"kind": "correct", "long_axis_mm": 5.0, "short_axis_mm": 7.0},
        {"kind": "correct", "long_axis_mm": 5.0},  # shorter than the short axis that stays
        {"kind": "correct", "long_axis_mm": 0.1, "short_axis_mm": 0.1},
        {"kind": "correct", "long_axis_mm": math.nan},
        {"kind": "correct", "long_axis_mm": math.inf},
        {"kind": "correct", "slice_index": 200},
        {"kind": "correct", "center_mm": [0.0, 0.0, 4000.0]},
        {"kind": "correct", "center_mm": [0.0, 0.0]},
        {"kind": "accept", "long_axis_mm": 5.0},
        {"kind": "accept", "note": "x" * 501},
        {"kind": "add"},
        {"kind": "maybe"},
    ],
    ids=str,
)
def test_a_decision_that_makes_no_sense_is_refused_with_a_sentence(radiologist, finding, wrong):
    with pytest.raises(UserError) as refused:
        decide(radiologist, finding, **wrong)
    assert refused.value.sentence.endswith(".")
    assert not Decision.objects.exists()


def test_the_first_decision_takes_the_study_off_the_unread(radiologist, study, finding):
    decide(radiologist, finding, kind="accept")
    study.refresh_from_db()
    assert study.review == "draft"


def test_an_added_nodule_takes_the_next_number(radiologist, study):
    add_nodule(radiologist, study, **A_NODULE)
    nodule = nodules_of(study)[-1]
    assert (nodule.number, nodule.status, nodule.location) == (4, "added", "left upper lobe")
    assert nodule.finding is None


@pytest.mark.parametrize("missing", sorted(A_NODULE))
def test_an_added_nodule_needs_place_size_and_type(radiologist, study, missing):
    with pytest.raises(UserError):
        add_nodule(radiologist, study, **{**A_NODULE, missing: None if missing.endswith("mm") else ""})


def test_an_added_nodule_can_be_corrected_step_by_step_and_withdrawn(radiologist, study):
    added = add_nodule(radiologist, study, **A_NODULE)
    revise_added(radiologist, added, kind="correct", long_axis_mm=8.0)
    later = revise_added(radiologist, added, kind="correct", type="solid")
    nodule = nodules_of(study)[-1]
    assert (nodule.long_axis_mm, nodule.short_axis_mm, nodule.type) == (8.0, 5.0, "solid")
    revise_added(radiologist, later, kind="reject")
    assert nodules_of(study)[-1].status == "rejected"


def test_a_decision_about_a_finding_is_no_added_nodule(radiologist, finding):
    decision = decide(radiologist, finding, kind="accept")
    with pytest.raises(Conflict, match="not added"):
        revise_added(radiologist, decision, kind="reject")


@pytest.mark.parametrize("role", ["administrator", "technician", "referrer"])
def test_only_a_radiologist_decides(role, site, study, finding):
    person = PersonFactory(role=role, site=site)
    with pytest.raises(Forbidden):
        decide(person, finding, kind="accept")
    with pytest.raises(Forbidden):
        add_nodule(person, study, **A_NODULE)


def test_a_radiologist_of_another_site_cannot_decide(stranger, finding):
    with pytest.raises(Forbidden):
        decide(stranger, finding, kind="accept")


def test_findings_of_an_older_reading_take_no_more_decisions(radiologist, study, finding):
    ReadingFactory(study=study)
    with pytest.raises(Conflict, match="read again"):
        decide(radiologist, finding, kind="accept")


def test_after_signing_nothing_is_decided_any_more(radiologist, study, finding):
    ReportFactory(study=study, final=True)
    for act in (
        lambda: decide(radiologist, finding, kind="accept"),
        lambda: add_nodule(radiologist, study, **A_NODULE),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "report_is_final"


def test_nodules_say_on_which_image_they_are(study, finding):
    volume = finding.reading.volume
    InstanceFactory(series=volume.series, sop_instance_uid=volume.sop_instance_uids[150], instance_number=176)
    nodule = nodules_of(study)[0]
    assert (nodule.series_number, nodule.image_number) == (3, 176)


@pytest.mark.parametrize("findings", [1, 12])
def test_nodules_cost_the_same_queries_however_many(
    radiologist, site, findings, django_assert_max_num_queries
):
    study = StudyFactory(site=site, status="ready", with_reading=False)
    ReadingFactory(study=study, findings=findings)
    for finding in Finding.objects.filter(study=study):
        decide(radiologist, finding, kind="accept")
    with django_assert_max_num_queries(4):
        nodules_of(study)


def test_each_decision_is_in_the_audit_trail(radiologist, finding):
    decision = decide(radiologist, finding, kind="accept")
    entry = AuditEntry.objects.get(target_type="reports.decision")
    assert (entry.action, entry.target_id) == ("create", str(decision.pk))


def test_a_study_that_was_not_read_can_still_get_nodules(radiologist, site):
    study = StudyFactory(site=site, not_read=True)
    add_nodule(radiologist, study, **A_NODULE)
    assert [nodule.number for nodule in nodules_of(study)] == [1]
