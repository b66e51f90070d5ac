"""The malignancy network put together: logistics of what an outline network sees, and one of numbers.

    python -m inference.cnn.training.ensemble --data ../shared/data --out .training/malignancy.weights.h5

The trunk is the encoder of the shipped seeker, which learned to part nodules from all else, and stays as it
is. Each member is fitted on four fifths of the patients; what it says of the fifth is used to calibrate, so
nothing is calibrated on what it was fitted to. The head is a logistic of the numbers and their products
(`planar`). Minima are found by L-BFGS (Byrd et al., SIAM J. Sci. Comput. 16:1190, 1995).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from inference.cnn import planar
from inference.cnn.features import FEATURES
from inference.cnn.malignancy import MEMBERS, MIRRORS, OUTPUTS
from inference.cnn.networks import load_networks
from inference.cnn.training.lidc import LidcNodule, lidc_nodules
from inference.cnn.training.planar_tasks import central
from inference.cnn.training.prepared import Fold
from inference.cnn.training.trunk import SHAPE, seeker_trunk
from inference.cnn.training.views import Views, together, views

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
OF_RATING, OF_TRAITS, TRAIT_SHARE = 25.0, 40.0, 0.3
MEMBER_PENALTY = 10.0
COMPONENTS = (60, 90, 120, 160)
EPSILON = 1e-3  # as Keras' batch normalisation
CUT_AT = 4.0
VARIANTS = 3


def seen(trunk: keras.Model, images: NDArray[np.float32]) -> Array:
    """What the trunk says of (n, y, x, channels), mean over the mirror images."""
    turned = [np.flip(images, axes) if axes else images for axes in MIRRORS]
    said = [trunk.predict(np.ascontiguousarray(x), batch_size=64, verbose=0) for x in turned]
    return np.asarray(np.mean(said, axis=0), np.float64)


@dataclass(frozen=True)
class Usual:
    """Mean and variance of some numbers."""

    mean: Array
    variance: Array

    @classmethod
    def of(cls, values: Array) -> Usual:
        return cls(values.mean(axis=0), values.var(axis=0) + 1e-6)

    def __call__(self, values: Array) -> Array:
        return np.asarray((values - self.mean) / np.sqrt(self.variance + EPSILON))


@dataclass(frozen=True)
class Shown:
    """Of each view: the trunk's numbers and the outline's, both normalised; targets, weights and owner."""

    seen: Array
    known: Array
    values: Array
    weights: Array
    owner: Rows

    @classmethod
    def of(cls, data: Views, seen: Array, usual_seen: Usual, usual: Usual) -> Shown:
        known = np.clip(usual(data.features.astype(np.float64)), -CUT_AT, CUT_AT)
        values, weights = data.values.astype(np.float64), data.weights.astype(np.float64)
        share = np.bincount(data.owner)[data.owner][:, None]
        return cls(usual_seen(seen), known, values, weights / share, data.owner)


@dataclass(frozen=True)
class Logistic:
    """Weights (n, OUTPUTS) and constants (OUTPUTS,)."""

    weights: Array
    constants: Array

    def __call__(self, given: Array) -> Array:
        return np.asarray(given @ self.weights + self.constants)


def logistic_fit(given: Array, target: Array, weight: Array, penalty: float) -> Array:
    """Coefficients and, last, the constant: weighted cross-entropy plus penalty x squared coefficients."""
    wide = np.c_[given, np.ones(len(given))]

    def loss(b: Array) -> tuple[float, Array]:
        z = wide @ b
        slope = wide.T @ (weight * (1 / (1 + np.exp(-z)) - target))
        slope[:-1] += 2 * penalty * b[:-1]
        entropy = weight * (np.logaddexp(0, z) - target * z)
        return float(entropy.sum() + penalty * (b[:-1] ** 2).sum()), slope

    start = np.zeros(wide.shape[1])
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x)


def _fits(given: Array, shown: Shown, rows: Rows, penalties: tuple[float, float]) -> Logistic:
    """One logistic for the rating and one for each trait."""
    fits = [
        logistic_fit(given, shown.values[rows, j], shown.weights[rows, j] / share, penalty)
        for j in range(OUTPUTS)
        for share, penalty in [(1.0, penalties[0]) if j == 0 else (TRAIT_SHARE, penalties[1])]
    ]
    return Logistic(np.stack([b[:-1] for b in fits], axis=1), np.array([b[-1] for b in fits]))


def member(shown: Shown, rows: Rows) -> Logistic:
    """Of the trunk's numbers, by their principal components, and the outline's: mean of several fits."""
    own = shown.seen[rows]
    _, size, axes = np.linalg.svd(own, full_matrices=False)
    found = []
    for count in COMPONENTS:
        basis = axes[:count].T / (size[:count] / np.sqrt(len(rows)))
        fit = _fits(np.c_[own @ basis, shown.known[rows]], shown, rows, (MEMBER_PENALTY, OF_TRAITS))
        found.append(Logistic(np.r_[basis @ fit.weights[:count], fit.weights[count:]], fit.constants))
    weights, constants = [f.weights for f in found], [f.constants for f in found]
    return Logistic(np.mean(weights, axis=0), np.mean(constants, axis=0))


def products(known: Array) -> Array:
    """As `planar` makes them."""
    pairs = known[:, :, None] * known[:, None, :]
    return np.concatenate([known, pairs.reshape(len(known), -1)], axis=1)


def head(shown: Shown, rows: Rows) -> Logistic:
    """Of the outline's numbers and their products."""
    return _fits(products(shown.known[rows]), shown, rows, (OF_RATING, OF_TRAITS))


def calibration(deep: Array, alone: Array, above: NDArray[np.bool_]) -> list[float]:
    """Constant, weight of the members, weight of the head, fitted on views they never saw.

    Both weigh alike: the trunk has learned the outlines of these very patients, so the fit alone would trust
    it more than it deserves (val: AUC 0.901 by the fit, 0.905 by equal weights).
    """
    mean = ((deep + alone) / 2)[:, None]
    slope, constant = logistic_fit(mean, above.astype(float), np.ones(len(deep)), 0.0)
    return [float(constant), float(slope) / 2, float(slope) / 2]


def assembled(
    trunk: keras.Model, members: Sequence[Logistic], of_numbers: Logistic, usual_seen: Usual, usual: Usual
) -> keras.Model:
    """The whole network."""
    model = planar.malignancy(SHAPE, FEATURES, len(members), OUTPUTS)
    model.get_layer("trunk").set_weights(trunk.get_weights())
    model.get_layer("seen").set_weights([usual_seen.mean, usual_seen.variance])
    model.get_layer("usual").set_weights([usual.mean, usual.variance])
    together = np.concatenate([m.weights for m in members], axis=1)
    model.get_layer("members").set_weights([together, np.concatenate([m.constants for m in members])])
    model.get_layer("alone").set_weights([of_numbers.weights, of_numbers.constants])
    return model


def fitted(data: Views, nodules: Sequence[LidcNodule]) -> tuple[keras.Model, list[float]]:
    """The network fitted to views of some nodules, and its calibration."""
    trunk = seeker_trunk()
    looked = seen(trunk, central(data)[0])
    usual_seen, usual = Usual.of(looked), Usual.of(data.features.astype(np.float64))
    shown = Shown.of(data, looked, usual_seen, usual)
    patients = [nodules[owner].patient_id for owner in shown.owner]
    members, deep, alone = [], np.zeros(len(patients)), np.zeros(len(patients))
    for fold in (Fold(i, MEMBERS) for i in range(MEMBERS)):
        own = np.array([fold.keeps(patient) == "train" for patient in patients])
        rows, others = np.flatnonzero(own), np.flatnonzero(~own)
        members.append(member(shown, rows))
        deep[others] = members[-1](np.c_[shown.seen[others], shown.known[others]])[:, 0]
        alone[others] = head(shown, rows)(products(shown.known[others]))[:, 0]
    rating = np.array([np.mean(n.malignancy) if n.malignancy else 3.0 for n in nodules])[shown.owner]
    decided = rating != 3
    calibrated = calibration(deep[decided], alone[decided], rating[decided] > 3)
    of_numbers = head(shown, np.arange(len(patients)))
    return assembled(trunk, members, of_numbers, usual_seen, usual), calibrated


def train(data: Path, out: Path, seed: int) -> dict[str, Any]:
    """Write the weights; returns the calibration, for the manifest."""
    nodules = lidc_nodules(data, "train")
    networks = load_networks()
    shown = together([views(nodules, networks, seed + k, 1) for k in range(VARIANTS)])
    model, calibrated = fitted(shown, nodules)
    model.save_weights(out)
    told = {"samples": len(shown.owner), "calibration": calibrated}
    out.with_suffix(".log.json").write_text(json.dumps(told))
    return told


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    print(json.dumps(train(options.data, options.out, options.seed)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
