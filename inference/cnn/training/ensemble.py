"""The malignancy network put together: members that leave a fold of patients out, and a head of numbers.

    python -m inference.cnn.training.ensemble --data ../shared/data --out .training/malignancy.weights.h5

Each member sees four fifths of the patients; what it says of the fifth is used to calibrate, so nothing is
calibrated on what it was trained on. The head is a logistic of the numbers and their products (`planar`); its
minimum is found by L-BFGS (Byrd et al., SIAM J. Sci. Comput. 16:1190, 1995).
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
from inference.cnn.preprocessing import MALIGNANCY_CHANNELS, MALIGNANCY_WINDOW
from inference.cnn.training.lidc import LidcNodule, lidc_nodules
from inference.cnn.training.planar_tasks import central, malignancy_loss
from inference.cnn.training.prepared import Fold
from inference.cnn.training.views import MalignancyBatches, Views, views

Array = NDArray[np.float64]
SHAPE = (MALIGNANCY_WINDOW, MALIGNANCY_WINDOW, MALIGNANCY_CHANNELS)
BATCH, RATE, WEIGHT_DECAY, AVERAGE = 64, 2e-3, 2e-2, 0.99
OF_RATING, OF_TRAITS, TRAIT_SHARE = 12.0, 40.0, 0.3
CUT_AT = 4.0


@dataclass(frozen=True)
class Member:
    """One trained member by layers, and its logits of the views it never saw."""

    layers: dict[str, list[Any]]
    rows: NDArray[np.intp]
    logits: Array


def _rate(part: float, step: int) -> float:
    """Warm up for 60 steps, then a cosine to a hundredth."""
    return RATE * (0.01 + 0.99 * (0.5 + 0.5 * np.cos(np.pi * part))) * min(1.0, step / 60 + 0.05)


def member(data: Views, train: Sequence[LidcNodule], fold: Fold, steps: int, seed: int) -> Member:
    """Train on the patients that the fold keeps for it; look at the others."""
    keras.utils.set_random_seed(seed)
    own = {k for k, n in enumerate(train) if fold.keeps(n.patient_id) == "train"}
    batches, rng = MalignancyBatches(data, own), np.random.default_rng(seed)
    model = planar.malignancy(SHAPE, FEATURES, 1, OUTPUTS)
    averaged = {"use_ema": True, "ema_momentum": AVERAGE}
    optimizer = keras.optimizers.AdamW(RATE, weight_decay=WEIGHT_DECAY, clipnorm=5.0, **averaged)
    model.compile(optimizer, malignancy_loss, jit_compile=False)
    for step in range(steps):
        optimizer.learning_rate.assign(_rate(step / steps, step))
        model.train_on_batch(*batches.draw(rng, BATCH))
    optimizer.finalize_variable_values(model.trainable_variables)
    rows = np.flatnonzero([owner not in own for owner in data.owner])
    return Member(by_layer(model), rows, seen(model, [x[rows] for x in central(data)]))


def by_layer(model: keras.Model) -> dict[str, list[Any]]:
    """Weights of a member's layers in the order in which they were made, by kind of layer."""
    found: dict[str, list[Any]] = {}
    for layer in made(model):
        found.setdefault(type(layer).__name__, []).append(layer.get_weights())
    return found


def made(model: keras.Model) -> list[Any]:
    """Layers with weights but for the head's, in the order in which they were made."""

    def number(layer: Any) -> tuple[str, int]:
        end = layer.name.rsplit("_", 1)[-1]
        return type(layer).__name__, int(end) if end.isdigit() else 0

    return sorted((la for la in model.layers if la.weights and la.name not in ("usual", "alone")), key=number)


def seen(model: keras.Model, inputs: list[Any]) -> Array:
    """Mean logit (n,) of the rating over the mirror images."""
    turned = [np.flip(inputs[0], axes) if axes else inputs[0] for axes in MIRRORS]
    logits = [model.predict([x, inputs[1]], batch_size=128, verbose=0)[:, 0] for x in turned]
    return np.asarray(np.mean(logits, axis=0), np.float64)


@dataclass(frozen=True)
class Head:
    """Mean and variance of the numbers, weights (n, OUTPUTS) of them and their products, and constants."""

    mean: Array
    variance: Array
    weights: Array
    constants: Array

    def __call__(self, numbers: Array) -> Array:
        return products(numbers, self.mean, self.variance) @ self.weights + self.constants


def products(numbers: Array, mean: Array, variance: Array) -> Array:
    """As `planar` makes them: normalised, cut, and times each other."""
    known = np.clip((numbers - mean) / np.sqrt(variance + 1e-3), -CUT_AT, CUT_AT)
    pairs = known[:, :, None] * known[:, None, :]
    return np.concatenate([known, pairs.reshape(len(known), -1)], axis=1)


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


def head(data: Views, rows: NDArray[np.intp]) -> Head:
    """Fitted to the ratings and traits of some views."""
    numbers = data.features[rows].astype(np.float64)
    mean, variance = numbers.mean(axis=0), numbers.var(axis=0) + 1e-6
    given = products(numbers, mean, variance)
    values, weights = data.values[rows].astype(np.float64), data.weights[rows].astype(np.float64)
    fits = [
        logistic_fit(given, values[:, j], weights[:, j] / share, penalty)
        for j in range(OUTPUTS)
        for share, penalty in [(1.0, OF_RATING) if j == 0 else (TRAIT_SHARE, OF_TRAITS)]
    ]
    return Head(mean, variance, np.stack([b[:-1] for b in fits], axis=1), np.array([b[-1] for b in fits]))


def calibration(deep: Array, alone: Array, above: NDArray[np.bool_]) -> list[float]:
    """Constant, weight of the members, weight of the head: a logistic of both, on views they never saw."""
    coefficients = logistic_fit(np.stack([deep, alone], axis=1), above.astype(float), np.ones(len(deep)), 0.0)
    return [float(coefficients[2]), float(coefficients[0]), float(coefficients[1])]


def assembled(members: Sequence[Member], of_numbers: Head) -> keras.Model:
    """The whole network with the members' weights and the head's."""
    model = planar.malignancy(SHAPE, FEATURES, len(members), OUTPUTS)
    places: dict[str, list[Any]] = {}
    for layer in made(model):
        places.setdefault(type(layer).__name__, []).append(layer)
    for kind, layers in places.items():
        each = [values for one in members for values in one.layers[kind]]
        for layer, values in zip(layers, each, strict=True):
            layer.set_weights(values)
    model.get_layer("usual").set_weights([of_numbers.mean, of_numbers.variance])
    model.get_layer("alone").set_weights([of_numbers.weights, of_numbers.constants])
    return model


def train(data: Path, out: Path, steps: int, seed: int) -> dict[str, Any]:
    """Write the weights; returns the calibration, for the manifest."""
    nodules = lidc_nodules(data, "train")
    shown = views(nodules, load_networks(), seed, 1)
    folds = [Fold(i, MEMBERS) for i in range(MEMBERS)]
    members = [member(shown, nodules, fold, steps, seed + i) for i, fold in enumerate(folds)]
    deep, alone = np.zeros(len(shown.owner)), np.zeros(len(shown.owner))
    for one in members:
        others = np.setdiff1d(np.arange(len(shown.owner)), one.rows)
        deep[one.rows] = one.logits
        alone[one.rows] = head(shown, others)(shown.features[one.rows].astype(np.float64))[:, 0]
    rating = np.array([np.mean(n.malignancy) if n.malignancy else 3.0 for n in nodules])[shown.owner]
    decided = rating != 3
    told = {"calibration": calibration(deep[decided], alone[decided], rating[decided] > 3)}
    assembled(members, head(shown, np.arange(len(shown.owner)))).save_weights(out)
    steps_told = {"steps": steps * MEMBERS, "samples": steps * MEMBERS * BATCH}
    out.with_suffix(".log.json").write_text(json.dumps({**steps_told, **told}))
    return told


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=420, help="of each member")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    print(json.dumps(train(options.data, options.out, options.steps, options.seed)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
