"""Confidence in words, with its reasons."""

from __future__ import annotations

import numpy as np
import pytest

from inference.cnn.character import margin, spiculation
from inference.cnn.doubt import calcium_doubt, edge_agreement, finding_doubt, scan_doubt
from inference.cnn.reading import Confidence, Doubt, Unfamiliar
from scans.dicom.lungs import LungMask

THRESHOLD = 0.13
SHARP = (0.9, THRESHOLD, (0.4, 0.6), 0.9)


def finding(
    p_nodule: float = 0.9,
    low: float = 0.4,
    high: float = 0.6,
    edge: float = 0.9,
    calcified: float | None = None,
) -> Doubt:
    return finding_doubt(p_nodule, THRESHOLD, (low, high), edge, calcium_doubt("none", calcified))


def lungs(ml: float = 5000.0, border: float = 0.0) -> LungMask:
    mask = np.zeros((2, 2, 2), bool)
    return LungMask(mask, mask, ml / 2, ml / 2, False, border)


def test_a_plain_finding_has_high_confidence_and_no_reason() -> None:
    assert finding() == Doubt("high", ())


@pytest.mark.parametrize(
    ("said", "level", "word"),
    [
        (finding(low=0.1, high=0.85), "medium", "uncertain"),
        (finding(low=0.05, high=0.95), "low", "uncertain"),
        (finding(p_nodule=0.15), "medium", "barely above"),
        (finding(edge=0.5), "medium", "edge"),
        (finding(calcified=0.95), "medium", "calcium"),
    ],
)
def test_each_doubt_lowers_the_confidence_and_says_why(said: Doubt, level: Confidence, word: str) -> None:
    assert said.confidence == level
    assert word in said.reasons[0]


def test_two_doubts_are_low_confidence() -> None:
    assert finding(p_nodule=0.15, edge=0.5).confidence == "low"


def test_a_network_that_was_not_asked_about_calcium_raises_no_doubt() -> None:
    assert finding(calcified=None) == finding(calcified=0.1)


def test_a_sharp_edge_agrees_with_itself_and_a_faint_one_does_not() -> None:
    distance = np.linalg.norm(np.indices((21, 21, 21)) - 10, axis=0)
    sharp, faint = 1 / (1 + np.exp((distance - 6) * 4)), 1 / (1 + np.exp((distance - 6) / 2))

    assert edge_agreement(sharp) > 0.9
    assert edge_agreement(faint) < 0.7
    assert edge_agreement(np.zeros((3, 3, 3))) == 0


@pytest.mark.parametrize(
    ("slice_mm", "of", "intervals", "level"),
    [
        (1.0, lungs(), [(0.2, 0.4)], "high"),
        (2.5, lungs(), [], "medium"),
        (5.0, lungs(), [], "low"),
        (1.0, lungs(ml=400), [], "low"),
        (1.0, lungs(border=0.5), [], "medium"),
        (1.0, lungs(), [(0.05, 0.95)], "medium"),
    ],
)
def test_a_scan_is_trusted_by_slices_coverage_and_agreement(
    slice_mm: float, of: LungMask, intervals: list[tuple[float, float]], level: Confidence
) -> None:
    said = scan_doubt(slice_mm, of, intervals, ())

    assert said.confidence == level
    assert (level == "high") == (not said.reasons)


@pytest.mark.parametrize(("code", "level"), [("U_PIXELS", "medium"), ("U_NOISE", "low"), ("U_LUNG", "low")])
def test_a_scan_unlike_the_training_is_trusted_less(code: str, level: Confidence) -> None:
    flag = Unfamiliar(code, "It is unlike.", 3.0, 1.0, 2.0)

    assert scan_doubt(1.0, lungs(), [], [flag]) == Doubt(level, ("It is unlike.",))


@pytest.mark.parametrize(
    ("rating", "expected"), [(1.0, "none"), (1.99, "none"), (2.0, "some"), (2.5, "marked"), (5.0, "marked")]
)
def test_spiculation_in_words(rating: float, expected: str) -> None:
    assert spiculation(rating) == expected


@pytest.mark.parametrize(
    ("rating", "expected"), [(1.0, "poor"), (2.95, "fair"), (3.75, "sharp"), (5.0, "sharp")]
)
def test_margin_in_words(rating: float, expected: str) -> None:
    assert margin(rating) == expected


def test_nothing_is_claimed_where_the_network_rates_nothing() -> None:
    assert spiculation(None) is None
    assert margin(None) is None
