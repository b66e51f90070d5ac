"""The scan's probability and the type of a nodule: plain rules with sharp boundaries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.cnn.scan_probability import LEAK, noisy_or
from inference.cnn.texture import NON_SOLID_BELOW, SOLID_ABOVE, SOLID_HU, nodule_type, solid_share

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


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, "non_solid"),
        (NON_SOLID_BELOW - 1e-9, "non_solid"),
        (NON_SOLID_BELOW, "part_solid"),
        (SOLID_ABOVE - 1e-9, "part_solid"),
        (SOLID_ABOVE, "solid"),
        (1.0, "solid"),
    ],
)
def test_the_type_changes_exactly_at_its_thresholds(share: float, expected: str) -> None:
    assert nodule_type(share) == expected


def test_the_mixed_outer_millimetre_does_not_make_a_solid_nodule_part_solid() -> None:
    z, y, x = np.indices((21, 21, 21)) - 10
    distance = np.sqrt(z**2 + y**2 + x**2)
    hu = np.where(distance <= 5, 30, np.where(distance <= 6, SOLID_HU - 200, -850)).astype(np.int16)

    assert solid_share(hu, distance <= 6, (1.0, 1.0, 1.0)) == 1.0


@pytest.mark.parametrize("size", [1, 2])
def test_the_smallest_outlines_still_have_a_share(size: int) -> None:
    hu = np.full((size, size, size), -600, np.int16)

    assert solid_share(hu, np.ones(hu.shape, bool), (2.5, 0.7, 0.7)) == 0.0


def test_many_faint_findings_do_not_add_up_to_certainty() -> None:
    faint = [(0.2, 0.4)] * 20

    assert noisy_or(faint) == noisy_or(faint[:5]) < 0.4
