"""The scan's probability: a plain rule, and which findings made it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.cnn.scan_probability import LEAK, MOST_SUSPICIOUS, contributions, noisy_or

pairs = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=8)


def test_a_scan_without_findings_keeps_only_the_leak() -> None:
    assert noisy_or([]) == pytest.approx(LEAK)


def test_one_certain_suspicious_finding_makes_the_scan_certain() -> None:
    assert noisy_or([(1.0, 1.0), (0.1, 0.1)]) == pytest.approx(1.0)


def test_two_findings_join_as_independent_causes() -> None:
    assert noisy_or([(0.5, 0.4), (1.0, 0.25)], leak=0.0) == pytest.approx(1 - 0.8 * 0.75)


@given(found=pairs, more=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_another_finding_never_lowers_the_probability(
    found: list[tuple[float, float]], more: tuple[float, float]
) -> None:
    assert LEAK - 1e-12 <= noisy_or(found) <= noisy_or([*found, more]) + 1e-12 <= 1 + 1e-9


@pytest.mark.parametrize("pair", [(-0.1, 0.5), (0.5, 1.1)])
def test_a_probability_outside_zero_to_one_is_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        noisy_or([pair])


def test_many_faint_findings_do_not_add_up_to_certainty() -> None:
    faint = [(0.2, 0.4)] * 20

    assert noisy_or(faint) == noisy_or(faint[:5]) < 0.4


def test_the_findings_behind_a_probability_are_named_the_weightiest_first() -> None:
    said = contributions({1: (0.9, 0.1), 2: (0.8, 0.5), 3: (0.2, 0.2)})

    assert [one.number for one in said] == [2, 1, 3]
    assert said[0].suspicion == pytest.approx(0.4)


def test_only_the_findings_that_count_are_named() -> None:
    said = contributions({number: (0.5, 0.01 * number) for number in range(1, 12)})

    assert [one.number for one in said] == [11, 10, 9, 8, 7]
    assert noisy_or([(0.5, 0.01 * n) for n in range(1, 12)]) == noisy_or(
        [(0.5, 0.01 * one.number) for one in said]
    )
    assert len(said) == MOST_SUSPICIOUS
