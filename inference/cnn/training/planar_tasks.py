"""The networks on slices: outline, malignancy and the 2D look at LUNA16's patches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from inference.cnn import planar
from inference.cnn.evaluation.figures import auc, dice
from inference.cnn.features import FEATURES
from inference.cnn.malignancy import MEMBERS, OUTPUTS
from inference.cnn.networks import load_networks
from inference.cnn.patch_classifier import PATCH, patch_input
from inference.cnn.preprocessing import (
    MALIGNANCY_WINDOW,
    OUTLINE_CHANNELS,
    OUTLINE_WINDOW,
    malignancy_input,
    outline_input,
)
from inference.cnn.training import luna
from inference.cnn.training.augment import chances_of
from inference.cnn.training.config import Config
from inference.cnn.training.lidc import LidcNodule, lidc_nodules
from inference.cnn.training.prepared import SCORE, Fold, Prepared
from inference.cnn.training.slabs import OutlineBatches, middle, slabs
from inference.cnn.training.trunk import SHAPE, seeker_trunk
from inference.cnn.training.views import DEEP, ROOM, MalignancyBatches, Views, views

FloatArray = NDArray[np.float32]


def _optimizer(config: Config) -> keras.optimizers.Optimizer:
    return keras.optimizers.AdamW(config.rate, weight_decay=config.weight_decay, clipnorm=5.0)


def _dealt(data: Path, fold: Fold | None) -> tuple[list[LidcNodule], list[LidcNodule]]:
    """Nodules to train on and nodules kept aside: the splits, or a fold of the train split."""
    train = lidc_nodules(data, "train")
    if fold is None:
        return train, lidc_nodules(data, "val")
    kept = [fold.keeps(n.patient_id) for n in train]
    return (
        [n for n, k in zip(train, kept, strict=True) if k == "train"],
        [n for n, k in zip(train, kept, strict=True) if k == "val"],
    )


def outline_loss(y_true: Any, y_pred: Any) -> Any:
    """Cross-entropy against votes and majority, outlined pixels five times, and Dice of every slice.

    A slice without outline counts as much as one with: else a nodule would never end.
    """
    logit, votes, majority, weight = y_pred[..., 0], y_true[..., 0], y_true[..., 1], y_true[..., 2]
    target = 0.4 * votes + 0.6 * majority
    entropy = ops.maximum(logit, 0) - logit * target + ops.log(1 + ops.exp(-ops.abs(logit)))
    entropy = ops.sum(weight * (1 + 4 * majority) * entropy) / ops.sum(weight)
    p, axes, each = ops.sigmoid(logit), (1, 2), weight[:, 0, 0]
    shared = 2 * ops.sum(p * majority, axis=axes) + 1
    overlap = 1 - shared / (ops.sum(p, axis=axes) + ops.sum(majority, axis=axes) + 1)
    return 6 * entropy + ops.sum(each * overlap) / (ops.sum(each) + 1e-3)


def _stack_input(nodule: LidcNodule, shift: NDArray[np.float64]) -> tuple[FloatArray, NDArray[np.intp]]:
    """The slabs of one stack, mirrored at its ends, in a window moved from its centre; and where it
    begins."""
    n, edge = nodule.hu.shape[0], 20
    start = np.clip(np.rint(middle(nodule) + shift - (OUTLINE_WINDOW - 1) / 2).astype(int), -edge, edge)
    wide = np.pad(nodule.hu, ((0, 0), (edge, edge), (edge, edge)), mode="reflect")
    window = wide[:, start[0] + edge :, start[1] + edge :][:, :OUTLINE_WINDOW, :OUTLINE_WINDOW]
    rows = np.abs(np.arange(n)[:, None] + np.arange(-2, 3))
    rows = np.clip(np.where(rows > n - 1, 2 * (n - 1) - rows, rows), 0, n - 1)
    spacing = np.tile(np.array(nodule.spacing_mm[:2]), (n, 1))
    off = (np.arange(n) - (n - 1) / 2) * nodule.spacing_mm[0]
    return outline_input(window[rows].astype(np.float32), spacing, off), start


def _stack_dice(nodule: LidcNodule, inside: NDArray[np.bool_], start: NDArray[np.intp]) -> float:
    """3D Dice with the majority of the readers, on the stack's own window."""
    edge, w = 20, OUTLINE_WINDOW
    wide = np.zeros((inside.shape[0], w + 2 * edge, w + 2 * edge), bool)
    wide[:, start[0] + edge : start[0] + edge + w, start[1] + edge : start[1] + edge + w] = inside
    return dice(wide[:, edge : edge + w, edge : edge + w], nodule.votes >= 0.499)


def outline(data: Path, config: Config, fold: Fold | None = None) -> Prepared:
    """`validate`: Dice of nodules of at least three readers, slices given, centre known to 8 pixels."""
    train, kept = _dealt(data, fold)
    batches = OutlineBatches(slabs(train, config.seed), chances_of(config.augmentation))
    model = planar.outline(OUTLINE_WINDOW, OUTLINE_CHANNELS)
    model.compile(_optimizer(config), outline_loss, jit_compile=False)
    judged = [n for n in kept if len(n.masks) >= 3 and not n.cut]
    rng = np.random.default_rng(3)
    shown = [_stack_input(n, rng.uniform(-8, 8, 2)) for n in judged]

    def validate(model: keras.Model) -> dict[str, float]:
        logits = model.predict(np.concatenate([x for x, _ in shown]), batch_size=64, verbose=0)[..., 0]
        parts = np.split(logits > 0, np.cumsum([len(x) for x, _ in shown])[:-1])
        found = [_stack_dice(n, p, s) for n, p, (_, s) in zip(judged, parts, shown, strict=True)]
        return {SCORE: float(np.mean(found)), "dice_median": float(np.median(found))}

    return Prepared(model, lambda rng: batches.draw(rng, config.batch), validate)


def malignancy_loss(y_true: Any, y_pred: Any) -> Any:
    """Cross-entropy of the rating and the traits, each with its weight, for every member alike."""
    value, weight = y_true[:, :OUTPUTS], y_true[:, OUTPUTS:]
    logit = ops.reshape(y_pred, (-1, y_pred.shape[-1] // OUTPUTS, OUTPUTS))
    value, weight = value[:, None], weight[:, None]
    entropy = ops.maximum(logit, 0) - logit * value + ops.log(1 + ops.exp(-ops.abs(logit)))
    return ops.mean(ops.sum(weight * entropy, axis=-1)) / (ops.mean(weight[..., :1]) + 1e-3)


def central(data: Views) -> list[FloatArray]:
    """[images, numbers] of every view without augmentation."""
    edge, deep = (ROOM - MALIGNANCY_WINDOW) // 2, (DEEP - 5) // 2
    inner = (slice(None), slice(deep, deep + 5), *(slice(edge, edge + MALIGNANCY_WINDOW),) * 2)
    images = [
        malignancy_input(h.astype(np.float32), o / 255, int(c))
        for h, o, c in zip(data.hu[inner], data.outline[inner], data.coarse, strict=True)
    ]
    return [np.stack(images), data.features]


def malignancy(data: Path, config: Config, fold: Fold | None = None, members: int = MEMBERS) -> Prepared:
    """Outlines come from the shipped outline network, the trunk from the shipped seeker, and stay.

    `validate`: AUC of mean rating above 3 against below.
    """
    train, kept = _dealt(data, fold)
    networks = load_networks()
    batches = MalignancyBatches(
        views(train, networks, config.seed, 3), set(range(len(train))), chances_of(config.augmentation)
    )
    model = planar.malignancy(SHAPE, FEATURES, members, OUTPUTS)
    model.get_layer("trunk").set_weights(seeker_trunk().get_weights())
    model.get_layer("trunk").trainable = False
    model.compile(_optimizer(config), malignancy_loss, jit_compile=False)
    means = np.array([np.mean(n.malignancy) if n.malignancy else 3.0 for n in kept])
    decided, many = means != 3, np.array([len(n.malignancy) >= 3 for n in kept])
    shown = central(views(kept, networks, config.seed + 1, 1))

    def validate(model: keras.Model) -> dict[str, float]:
        outputs = model.predict(shown, batch_size=64, verbose=0)
        scores = outputs.reshape(len(outputs), -1, OUTPUTS)[:, :, 0].mean(axis=1)
        either = {n: auc(scores[m], means[m] > 3) for n, m in (("any", decided), ("many", decided & many))}
        return {SCORE: (either["any"] + either["many"]) / 2, "auc": either["any"], "auc_3": either["many"]}

    return Prepared(model, lambda rng: batches.draw(rng, config.batch), validate)


def patches(data: Path, config: Config, fold: Fold | None = None) -> Prepared:
    """`validate`: AUC on the val patches of LUNA16."""
    if fold is not None:
        raise ValueError("LUNA16's patches come with a split by patient and few known patients: no folds.")
    given, kept = luna.luna_patches(data, "train"), luna.luna_patches(data, "val")
    batches = luna.PatchBatches(given, luna.lidc_patches(lidc_nodules(data, "train")))
    model = planar.patches(PATCH)
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.05)
    model.compile(_optimizer(config), loss, jit_compile=False)

    def batch(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        x, y = batches.draw(rng, config.batch)
        return x, np.repeat(y, model.output_shape[-1], axis=1)

    def validate(model: keras.Model) -> dict[str, float]:
        logits = model.predict(patch_input(kept.images), batch_size=64, verbose=0).mean(axis=1)
        return {SCORE: auc(logits, kept.labels)}

    return Prepared(model, batch, validate)
