"""The words of a draft (CLINICAL 9.3, 9.5)."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest

from reports import drafting
from reports.nodules import Nodule


def nodule(**more):
    values = {
        "number": 1,
        "status": "accepted",
        "finding": None,
        "decision": None,
        "added": None,
        "long_axis_mm": 13.0,
        "short_axis_mm": 9.4,
        "volume_mm3": 601.0,
        "type": "solid",
        "side": "right",
        "location": "right lung",
        "slice_index": 150,
        "center_mm": [0.0, 0.0, 0.0],
        "series_number": 3,
        "image_number": 176,
    }
    return Nodule(**{**values, **more})


SOFTWARE = {
    "product": "lungportal",
    "read": True,
    "refusal": "",
    "series": {"number": 3, "description": "Thorax 1.0 mm"},
    "checks": [],
    "marks": {"shown": 3, "accepted": 1, "rejected": 2, "corrected": 0, "undecided": 0, "added": 1},
    "read_at": "2026-03-12T09:05:31+00:00",
    "pipeline": "2026.1",
    "code_version": "0.1.0",
}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {},
            "Nodule 1: solid, right lung, 13.0 x 9.4 mm (mean 11.2 mm), series 3 image 176.",
        ),
        (
            {"number": 2, "type": "part_solid", "location": "right upper lobe", "image_number": None},
            "Nodule 2: part-solid, right upper lobe, 13.0 x 9.4 mm (mean 11.2 mm), series 3.",
        ),
        (
            {"long_axis_mm": 41.0, "short_axis_mm": 30.0, "series_number": None, "image_number": None},
            "Nodule 1: solid mass, right lung, 41.0 x 30.0 mm (mean 35.5 mm).",
        ),
        (
            {"long_axis_mm": None, "location": ""},
            "Nodule 1: solid, size not measured, series 3 image 176.",
        ),
    ],
)
def test_a_nodule_is_one_sentence(more, said):
    assert drafting.sentence(nodule(**more)) == said


@pytest.mark.parametrize(
    ("value", "shown"),
    [(6.85, "6.9"), (6.849, "6.8"), (0.05, "0.1"), (5.25, "5.3"), (13.0, "13.0"), (1e-9, "0.0")],
)
def test_tenths_are_rounded_half_up(value, shown):
    assert drafting.tenths(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "< 0.1 %"),
        (0.0009, "< 0.1 %"),
        (0.62, "62.0 %"),
        (1.0, "100.0 %"),
        (0.9996, "> 99.9 %"),
        (0.0725, "7.3 %"),
    ],
)
def test_probabilities_show_one_decimal(value, shown):
    assert drafting.percent(value) == shown


@pytest.mark.parametrize(
    ("priors", "said"),
    [
        ([], "None available."),
        ([dt.date(2025, 3, 10)], "CT of 10 Mar 2025."),
        ([dt.date(2025, 3, 10), dt.date(2024, 1, 2)], "CT of 10 Mar 2025, 2 Jan 2024."),
    ],
)
def test_comparison_names_the_earlier_studies(priors, said):
    assert drafting.comparison(priors) == said


def test_technique_says_what_the_header_says():
    facts = SimpleNamespace(
        modality="CT", slice_thickness_mm=1.25, kernel="B30f", kvp=120.0, contrast_agent=""
    )
    assert drafting.technique(facts) == (
        "CT, slice thickness 1.25 mm, kernel B30f, 120 kVp, no contrast agent recorded."
    )
    bare = SimpleNamespace(
        modality="", slice_thickness_mm=None, kernel="", kvp=None, contrast_agent="Iohexol"
    )
    assert drafting.technique(bare) == "Modality not stated, contrast agent: Iohexol."


def test_without_nodules_the_report_says_so_in_the_phrase_of_the_guideline():
    assert drafting.findings([], SOFTWARE) == "No suspicious pulmonary nodule."
    assert drafting.impression([]) == "No suspicious pulmonary nodule."


def test_the_impression_counts_and_names_the_largest():
    small = nodule(number=1, long_axis_mm=5.0, short_axis_mm=4.0)
    large = nodule(number=2)
    assert drafting.impression([large]) == "One pulmonary nodule (solid, right lung), mean diameter 11.2 mm."
    assert drafting.impression([small, large]).startswith("2 pulmonary nodules; the largest is nodule 2")


def test_a_refused_series_that_was_read_says_so_first():
    software = {**SOFTWARE, "refusal": "Slices of 8.0 mm are too thick for nodule analysis."}
    said = "Read at a radiologist's request although the acquisition was refused: Slices of 8.0 mm"
    assert drafting.findings([nodule()], software).startswith(said)
    assert drafting.software_statement(software)[0].startswith(said)


def test_the_software_statement_counts_marks_and_names_checks():
    check = {"code": "W_KERNEL", "level": "WARN", "sentence": "Sharp kernel."}
    info = {"code": "I_THIN", "level": "INFO", "sentence": "1.0 mm or thinner is preferred."}
    lines = drafting.software_statement({**SOFTWARE, "checks": [check, info]})
    assert lines == [
        "lungportal 0.1.0, pipeline 2026.1, read on 2026-03-12 09:05 UTC, series 3 Thorax 1.0 mm.",
        "Computer marks: 3 shown, 1 accepted, 0 corrected, 2 rejected; 1 added by the reader.",
        "Acquisition checks: W_KERNEL: Sharp kernel.",
    ]


def test_a_study_that_was_not_read_says_so():
    software = {"read": False, "not_read_reason": "Slices too thick.", "marks": {"added": 1}}
    assert drafting.software_statement(software)[0] == "Not read by the networks: Slices too thick."


def test_the_recommendation_invents_no_category():
    assert "guideline" in drafting.RECOMMENDATION
    assert not any(character.isdigit() for character in drafting.RECOMMENDATION)
