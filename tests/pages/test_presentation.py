"""Figures and states are put into words the same way everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reports import presentation as p

NOW = datetime(2026, 3, 12, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, ".00"),
        (0.005, ".01"),
        (0.81, ".81"),
        (0.995, ">.99"),
        (0.9999, ">.99"),
        (1.0, "1.00"),
        (0.001, "<.01"),
    ],
)
def test_a_probability_has_two_places_and_no_leading_nought(value, text):
    assert p.probability(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(6.85, "6.9 mm"), (6.84, "6.8 mm"), (0.25, "0.3 mm"), (None, "–")]
)
def test_millimetres_are_rounded_half_up(value, text):
    assert p.millimetres(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.25, "1.25 mm"), (1.0, "1.0 mm"), (0.625, "0.63 mm"), (8, "8.0 mm"), (None, "")]
)
def test_a_thickness_is_told_as_scanners_do(value, text):
    assert p.thickness(value) == text


@pytest.mark.parametrize(
    ("long", "short", "text"),
    [(13.0, 9.4, "13.0 × 9.4 mm"), (13.0, None, "13.0 mm"), (None, None, "")],
)
def test_both_axes_stand_together(long, short, text):
    assert p.axes(long, short) == text


@pytest.mark.parametrize(
    ("value", "glyph", "level"),
    [(None, "○", "none"), (0.0, "●", "low"), (0.1999, "●", "low"), (0.2, "◆", "mid"), (0.5, "▲", "high")],
)
def test_every_level_has_its_own_glyph(value, glyph, level):
    sign = p.suspicion(value)
    assert (sign.glyph, sign.level) == (glyph, level)
    assert sign.word


@pytest.mark.parametrize(
    ("status", "review", "text"),
    [
        ("received", "unread", "arriving"),
        ("waiting", "unread", "waiting"),
        ("reading", "draft", "reading"),
        ("ready", "unread", "unread"),
        ("ready", "draft", "in progress"),
        ("failed", "unread", "✕ failed"),
        ("not_read", "unread", "⊘ not read"),
        ("not_read", "final", "✓ signed"),
        ("ready", "final", "✓ signed"),
    ],
)
def test_one_chip_says_how_far_machine_and_people_are(status, review, text):
    assert p.status_chip(status, review).text == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=59), "now"),
        (timedelta(minutes=18), "18 min"),
        (timedelta(minutes=100), "1 h 40"),
        (timedelta(hours=24), "1 d"),
        (timedelta(days=12, hours=3), "12 d"),
    ],
)
def test_waiting_is_told_in_the_unit_that_matters(ago, text):
    assert p.waiting(NOW - ago, NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (3, "a few seconds"), (42, "about 40 s"), (95, "about 2 min"), (7200, "about 2 h")],
)
def test_an_expected_time_is_as_vague_as_it_is_uncertain(seconds, text):
    assert p.expected(seconds) == text


@pytest.mark.parametrize(
    ("ahead", "text"), [(None, ""), (0, "next in the queue"), (1, "1 job ahead"), (12, "12 jobs ahead")]
)
def test_a_place_in_the_queue_is_the_number_of_jobs_ahead(ahead, text):
    assert p.place_in_queue(ahead) == text


@pytest.mark.parametrize(
    ("status", "stage", "progress", "ahead", "seconds", "line"),
    [
        ("received", "", 0, None, None, "images are arriving"),
        ("waiting", "", 0, 2, 42.0, "2 jobs ahead · about 40 s"),
        ("waiting", "", 0, None, None, "waiting to be read"),
        ("reading", "outlines", 0.629, 0, 9.0, "outlines · 62 % · about 10 s left"),
        ("reading", "", 0.999, 0, None, "reading · 99 %"),
    ],
)
def test_a_running_study_says_stage_share_place_and_time(status, stage, progress, ahead, seconds, line):
    assert p.progress_line(status, stage, progress, ahead, seconds) == line


def test_the_end_alone_is_a_hundred_per_cent():
    assert [p.percent(share) for share in (0, 0.5, 0.9999, 1)] == [0, 50, 99, 100]


def test_without_a_measured_calibration_nothing_is_claimed():
    assert "has not been measured" in p.meaning_of_scan(0.8)


def test_a_measured_calibration_is_quoted_with_its_number_of_scans():
    bins = [{"low": 0, "high": 0.5, "share": 0.1, "n": 300}, {"low": 0.5, "high": 1, "share": 0.62, "n": 90}]
    assert "about 62 held" in p.meaning_of_scan(0.8, bins)
    assert "(n = 90)" in p.meaning_of_scan(1.0, bins)


def test_the_gravest_check_comes_first_and_colours_the_chip():
    rows = [
        {"code": "I_THIN", "level": "INFO", "sentence": "c"},
        {"code": "W_THICK", "level": "WARN", "sentence": "b"},
        {"code": "E_FEW", "level": "REFUSE", "sentence": "a"},
    ]
    checks = p.checks_of(rows)
    assert [check.code for check in checks] == ["E_FEW", "W_THICK", "I_THIN"]
    assert p.checks_chip(checks).tone == "bad"
    assert p.checks_chip(checks[1:]).text == "⚠ 1 warning"
    assert p.checks_chip(checks[2:]).tone == "ok"


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (1, "single"), (2, "1 more finding"), (5, "4 more findings")]
)
def test_the_rest_of_the_findings_is_counted(count, text):
    assert p.more_findings(count) == text
