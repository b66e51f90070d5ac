"""Logistic regression with a ridge, by Newton's method: the baseline on shape and density alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

RIDGE = 3.0
FOLDS = 5


def fitted(x: FloatArray, y: FloatArray, ridge: float = RIDGE) -> FloatArray:
    """Weights (features + 1; the constant first, not shrunk) of a logistic regression on x (n, features)."""
    design = np.column_stack([np.ones(len(x)), x])
    weights = np.zeros(design.shape[1])
    shrink = np.diag(np.append(0.0, np.full(x.shape[1], ridge)))
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (y - p) - shrink @ weights
        curvature = (design * (p * (1 - p) + 1e-9)[:, None]).T @ design + shrink
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(weights)


def folds_by_patient(patients: Sequence[str], count: int = FOLDS, seed: int = 0) -> NDArray[np.intp]:
    """The fold of each row; a patient is in one fold only."""
    names = sorted(set(patients))
    drawn = np.random.default_rng(seed).permutation(len(names)) % count
    fold = dict(zip(names, drawn, strict=True))
    return np.array([fold[p] for p in patients], int)


def cross_validated(x: FloatArray, y: FloatArray, patients: Sequence[str]) -> FloatArray:
    """For each row the log odds told by a fit on the other patients, whose mean and spread set the scale."""
    fold, told = folds_by_patient(patients), np.zeros(len(x))
    for number in range(FOLDS):
        test, rest = fold == number, fold != number
        if not test.any() or len(set(y[rest])) < 2:
            continue
        mean, spread = x[rest].mean(axis=0), x[rest].std(axis=0) + 1e-6
        weights = fitted((x[rest] - mean) / spread, y[rest])
        told[test] = weights[0] + (x[test] - mean) / spread @ weights[1:]
    return told
