"""Figures of merit against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from inference.cnn.evaluation import figures
from inference.cnn.evaluation.logistic import cross_validated, folds_by_patient

SCORES, LABELS = [0.9, 0.8, 0.7, 0.6, 0.2], [1, 0, 1, 0, 0]


def test_auc_is_the_share_of_pairs_in_the_right_order_and_ties_count_half() -> None:
    assert figures.auc(SCORES, LABELS) == pytest.approx(5 / 6)
    assert figures.auc([1, 1, 1], [1, 0, 0]) == 0.5
    assert np.isnan(figures.auc([1, 2], [1, 1]))


def test_the_area_below_the_roc_points_is_the_auc() -> None:
    alarms, found = figures.roc(SCORES, LABELS)
    assert (alarms[0], found[0], alarms[-1], found[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(found, alarms) == pytest.approx(figures.auc(SCORES, LABELS))


def test_precision_and_recall_at_each_threshold() -> None:
    recall, precision = figures.precision_recall(SCORES, LABELS)
    assert recall == pytest.approx([0.5, 0.5, 1, 1, 1])
    assert precision == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4, 2 / 5])


def test_equal_scores_are_one_threshold() -> None:
    alarms, found = figures.roc([0.5, 0.5, 0.1], [1, 0, 0])
    assert alarms == pytest.approx([0, 0.5, 1])
    assert found == pytest.approx([0, 1, 1])


@pytest.mark.parametrize(("rate", "sensitivity"), [(0.0, 0.5), (0.34, 1.0), (0.01, 0.5)])
def test_sensitivity_at_a_false_positive_rate_stays_below_it(rate: float, sensitivity: float) -> None:
    assert figures.sensitivity_at(SCORES, LABELS, rate) == sensitivity


def test_brier_score_by_hand() -> None:
    assert figures.brier([0.8, 0.3], [1, 0]) == pytest.approx((0.04 + 0.09) / 2)


def test_calibration_error_weighs_each_bin_by_its_cases() -> None:
    predicted, outcome = [0.1, 0.2, 0.8, 0.9], [0, 1, 1, 1]
    assert figures.ece(predicted, outcome, bins=2) == pytest.approx((abs(0.15 - 0.5) + abs(0.85 - 1)) / 2)
    assert figures.ece([0.0, 1.0], [0, 1], bins=10) == 0


def test_decisions_at_a_half() -> None:
    told = figures.decisions([0.9, 0.5, 0.4, 0.1], [1, 0, 1, 0])
    assert told["accuracy"] == told["sensitivity"] == told["precision"] == told["f1"] == 0.5
    assert np.isnan(figures.decisions([0.1], [0])["recall"])


def test_an_interval_draws_patients_not_cases() -> None:
    values = np.array([0.0, 0.0, 0.0, 1.0])
    low, high = figures.interval(["a", "a", "a", "b"], lambda rows: float(values[rows].mean()))
    assert (low, high) == (0.0, 1.0)


def test_a_patient_is_in_one_fold_and_the_fit_on_the_others_tells_them_apart() -> None:
    rng = np.random.default_rng(1)
    y = (np.arange(200) % 2).astype(float)
    x = np.column_stack([y * 2 + rng.normal(size=200), rng.normal(size=200)])
    patients = [f"p{i // 4}" for i in range(200)]
    fold = folds_by_patient(patients)
    assert all(len(set(fold[i : i + 4])) == 1 for i in range(0, 200, 4))
    assert figures.auc(cross_validated(x, y, patients), y) > 0.85
    assert 0.3 < figures.auc(cross_validated(x[:, 1:], y, patients), y) < 0.7


def test_a_figure_that_is_never_defined_has_no_interval() -> None:
    low, high = figures.interval(["a", "b"], lambda rows: figures.auc(rows, np.ones(len(rows))), rounds=5)
    assert np.isnan(low)
    assert np.isnan(high)
