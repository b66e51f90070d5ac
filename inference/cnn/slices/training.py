"""Training of the classifier of single pictures; whole groups are kept aside, never single pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from inference.cnn.slices import architecture
from inference.cnn.slices.classifier import probabilities
from inference.cnn.slices.dataset import CLASSES, Slices, balanced_accuracy, dealt, read_slices
from inference.cnn.training.config import Config
from inference.cnn.training.prepared import SCORE, Batch, Figures, Fold, Prepared

LABEL_SMOOTHING = 0.02
JITTER = 0.02


@dataclass(frozen=True)
class Batches:
    """Batches drawn class by class and group by group; features shaken by a share of their spread."""

    slices: Slices
    size: int
    heads: int

    def __call__(self, rng: np.random.Generator) -> Batch:
        rows = rng.choice(len(self.slices), self.size, p=self.slices.weight)
        x = self.slices.features[rows]
        shaken = x + JITTER * self.slices.features.std(axis=0) * rng.standard_normal(x.shape, np.float32)
        one_hot = np.eye(len(CLASSES), dtype=np.float32)[self.slices.label[rows]]
        return shaken.astype(np.float32), np.repeat(one_hot[:, None], self.heads, axis=1)


def divided(slices: Slices, fold: Fold | None) -> tuple[Slices, Slices]:
    """(trained on, kept aside): the table's own splits, or one fold of all groups."""
    if fold is None:
        return slices.rows(slices.where("train")), slices.rows(slices.where("val"))
    number = dealt(slices, fold.of)
    return slices.rows(np.flatnonzero(number != fold.number)), slices.rows(
        np.flatnonzero(number == fold.number)
    )


def prepare(data: Path, config: Config, fold: Fold | None) -> Prepared:
    """Model, batches and figures; in cross-validation the groups of the fold are only judged on."""
    trained_on, kept_aside = divided(read_slices(data), fold)
    return prepared(trained_on, kept_aside, config)


def prepared(trained_on: Slices, kept_aside: Slices, config: Config) -> Prepared:
    model = compiled(trained_on, config)
    heads = int(model.output_shape[1])

    def validate(trained: keras.Model) -> Figures:
        return figures_on(trained, kept_aside)

    return Prepared(model, Batches(trained_on, config.batch, heads), validate if len(kept_aside) else None)


def compiled(trained_on: Slices, config: Config) -> keras.Model:
    """A new model whose places are the quantiles of the training pictures."""
    model = architecture.slices()
    cuts = np.quantile(trained_on.features, np.linspace(0, 1, architecture.CUTS), axis=0).T
    model.get_layer("places").set_weights([cuts.astype(np.float32)])
    model.compile(
        keras.optimizers.AdamW(config.rate, weight_decay=config.weight_decay),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING),
        jit_compile=False,
    )
    return model


def told_by(model: keras.Model, slices: Slices) -> NDArray[np.float32]:
    """(n, classes) probabilities."""
    return probabilities(keras.ops.convert_to_numpy(model(slices.features, training=False)))


def figures_on(model: keras.Model, slices: Slices) -> Figures:
    said = told_by(model, slices).argmax(axis=1)
    found = {SCORE: balanced_accuracy(slices.label, said)}
    for number, name in enumerate(CLASSES):
        of_class = slices.label == number
        found[f"recall_{name}"] = float(np.mean(said[of_class] == number)) if of_class.any() else float("nan")
    return found
