"""Training the network that marks nodules wherever they lie, on LIDC's stacks and wide slices."""

from __future__ import annotations

import csv
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from inference.cnn import planar
from inference.cnn.evaluation import detection
from inference.cnn.evaluation.froc import froc_figures
from inference.cnn.evaluation.neighbours import Neighbourhood, points_of
from inference.cnn.evaluation.nodules import cases
from inference.cnn.evaluation.segmentation import SEED
from inference.cnn.evaluation.stacks import windowed
from inference.cnn.networks import Network
from inference.cnn.preprocessing import OUTLINE_CHANNELS, OUTLINE_SLICES, OUTLINE_WINDOW, outline_input
from inference.cnn.training.augment import USUAL, Chances, chances_of
from inference.cnn.training.config import Config
from inference.cnn.training.lidc import LidcNodule, lidc_nodules
from inference.cnn.training.prepared import SCORE, Fold, Prepared
from inference.cnn.training.slabs import Slabs, neighbours, other_scanner, sampled, slabs, turned_grids

Rng = np.random.Generator
FloatArray = NDArray[np.float32]
FROM_STACKS, MADE_UP = 0.8, 0.1
SHIFT_PX, WIDE_SHIFT_PX = 20.0, 8.0
WIDE_FROM, WIDE_TO = 24.0, 104.0
POINT_PX, WIDE_SLICE_MM = 6, 1.5
SURE, OF_FEW_READERS = 1.0, 0.4


@dataclass(frozen=True)
class Wide:
    """Single slices (n, 128, 128): HU int16, votes 0..4, whether a pixel may be learned from, and spacing."""

    hu: NDArray[np.int16]
    votes: NDArray[np.uint8]
    certain: NDArray[np.bool_]
    spacing: FloatArray


def _unpacked(path: Path, *, delta: bool) -> NDArray[np.uint8]:
    with lzma.open(path) as stream:
        values = np.load(stream)
    return np.asarray(np.cumsum(values, axis=-1, dtype=np.uint8) if delta else values)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def wide_slices(data: Path, split: str, fold: Fold | None = None) -> Wide:
    """The wide slices of a split; about point marks (small nodules, non-nodules) nothing is certain."""
    folder = data / "lidc"
    rows = _rows(folder / f"{split}_wide.csv")
    hu = _unpacked(folder / f"{split}_wide_hu8.npy.xz", delta=True).astype(np.int16) * 8 - 1024
    votes = np.minimum(_unpacked(folder / f"{split}_wide_votes.npy.xz", delta=False), 4)
    place = {row["row"]: i for i, row in enumerate(rows)}
    certain = np.ones(hu.shape, bool)
    y, x = np.ogrid[: hu.shape[1], : hu.shape[2]]
    for point in _rows(folder / f"{split}_wide_points.csv"):
        near = (y - float(point["y"])) ** 2 + (x - float(point["x"])) ** 2 <= POINT_PX**2
        certain[place[point["row"]]][near] = False
    spacing = np.array([[WIDE_SLICE_MM, float(row["spacing_y"])] for row in rows], np.float32)
    kept = [i for i, row in enumerate(rows) if fold is None or fold.keeps(row["patient_id"]) == "train"]
    return Wide(hu[kept], votes[kept], certain[kept], spacing[kept])


class SeekerBatches:
    """Random batches: inputs (n, w, w, channels), no place told; targets (n, w, w, 2): nodule, weight."""

    def __init__(self, stacks: Slabs, wide: Wide, chances: Chances = USUAL) -> None:
        self.stacks, self.wide, self.chances = stacks, wide, chances
        chance, made_up = np.where(stacks.real, stacks.weight, 0), ~stacks.real
        chance = chance / chance.sum() * (1 - MADE_UP) + made_up / made_up.sum() * MADE_UP
        self.total = np.cumsum(chance / chance.sum())

    def draw(self, rng: Rng, count: int) -> tuple[FloatArray, FloatArray]:
        many = round(count * FROM_STACKS)
        parts = [self._from_stacks(rng, many), self._from_wide(rng, count - many)]
        hu, nodule, weight, spacing = (np.concatenate(p) for p in zip(*parts, strict=True))
        x = outline_input(other_scanner(rng, hu, self.chances), spacing, np.zeros(count, np.float32))
        target = 0.6 * (nodule >= 0.49) + 0.4 * nodule
        return x, np.stack([target, weight], axis=-1).astype(np.float32)

    def _from_stacks(self, rng: Rng, count: int) -> tuple[NDArray[Any], ...]:
        data = self.stacks
        index = np.minimum(np.searchsorted(self.total, rng.random(count)), len(self.total) - 1)
        center = np.clip(data.center[index], 0, data.hu.shape[1] - 1)
        rows, cols = turned_grids(rng, center, SHIFT_PX, self.chances)
        hu = sampled(data.hu[neighbours(data, index, rng)], rows, cols)
        nodule = sampled(data.votes[index][:, None], rows, cols)[:, 0] / 255
        weight = np.where(nodule > 0.02, data.weight[index][:, None, None], SURE)
        return hu, nodule, weight.astype(np.float32), data.spacing[index]

    def _from_wide(self, rng: Rng, count: int) -> tuple[NDArray[Any], ...]:
        index = rng.integers(len(self.wide.hu), size=count)
        center = rng.uniform(WIDE_FROM, WIDE_TO, (count, 2)).astype(np.float32)
        rows, cols = turned_grids(rng, center, WIDE_SHIFT_PX, self.chances)

        def seen(values: NDArray[Any]) -> FloatArray:
            return sampled(values[index][:, None], rows, cols)

        votes = seen(self.wide.votes)[:, 0]
        certain = seen(self.wide.certain.astype(np.float32))[:, 0] > 0.5
        weight = certain * np.where((votes > 0.02) & (votes < 2), OF_FEW_READERS, SURE)
        hu = np.repeat(seen(self.wide.hu), OUTLINE_SLICES, axis=1)
        return (
            hu,
            np.asarray(np.clip(votes / 3, 0, 1), np.float32),
            weight.astype(np.float32),
            self.wide.spacing[index],
        )


def seeker_loss(y_true: Any, y_pred: Any) -> Any:
    """Focal cross-entropy on soft targets (Li et al., 2020), and the Dice of each slice."""
    logit, target, weight = y_pred[..., 0], y_true[..., 0], y_true[..., 1]
    p, axes = ops.sigmoid(logit), (1, 2)
    entropy = ops.maximum(logit, 0) - logit * target + ops.log(1 + ops.exp(-ops.abs(logit)))
    focal = weight * entropy * ops.square(target - p) * (1 + 3 * target)
    shared = 2 * ops.sum(weight * p * target, axis=axes) + 1
    overlap = 1 - shared / (ops.sum(weight * p, axis=axes) + ops.sum(weight * target, axis=axes) + 1)
    holds_one = ops.cast(ops.max(target, axis=axes) > 0.5, "float32")
    slices = ops.mean(overlap * (0.3 + 0.4 * holds_one))
    return 6 * ops.sum(focal) / (ops.sum(weight * target) + 50.0) + slices


def _nodules(data: Path, fold: Fold | None) -> list[LidcNodule]:
    train = lidc_nodules(data, "train")
    return [n for n in train if fold is None or fold.keeps(n.patient_id) == "train"]


def seeker(data: Path, config: Config, fold: Fold | None = None) -> Prepared:
    """`validate`: mean sensitivity of the FROC on windows of the val split (not for folds)."""
    chances = chances_of(config.augmentation)
    batches = SeekerBatches(
        slabs(_nodules(data, fold), config.seed), wide_slices(data, "train", fold), chances
    )
    model = planar.outline(OUTLINE_WINDOW, OUTLINE_CHANNELS)
    optimizer = keras.optimizers.AdamW(config.rate, weight_decay=config.weight_decay, clipnorm=5.0)
    model.compile(optimizer, seeker_loss, jit_compile=False)
    kept = [] if fold else cases(data, "val")
    rng = np.random.default_rng(SEED)
    shifts = [rng.integers(-detection.SHIFT_PX, detection.SHIFT_PX + 1, 2) for _ in kept]
    stacks = [windowed(c, (int(s[0]), int(s[1]))) for c, s in zip(kept, shifts, strict=True)]
    known = Neighbourhood(kept, points_of(data / "lidc", "val"))

    def validate(model: keras.Model) -> dict[str, float]:
        network = Network("seeker", "", {}, lambda x: model(x, training=False), 8)
        searched = [
            detection.Searched(c, s, (), (), detection.sought_in(s, network))
            for c, s in zip(kept, stacks, strict=True)
        ]
        found = froc_figures(detection.marks_that_count(searched, known, detection.thin_stack))
        return {SCORE: float(found["cpm"])}

    return Prepared(model, lambda rng: batches.draw(rng, config.batch), None if fold else validate)
