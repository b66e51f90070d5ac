"""One function per network: data in, a compiled model and its batches out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from inference.cnn import architectures
from inference.cnn.features import FEATURES
from inference.cnn.preprocessing import (
    CANDIDATES_STEP_MM,
    MALIGNANCY_PATCH,
    OUTLINE_COARSE_STEP_MM,
    OUTLINE_PATCH,
    OUTLINE_STEP_MM,
    REDUCTION_PATCH,
    REDUCTION_STEP_MM,
)
from inference.cnn.training import detector, patches
from inference.cnn.training.bank import Implant, implants, restored, stored
from inference.cnn.training.sampler import Host, Sampler
from inference.cnn.training.whole import whole_scans


@dataclass(frozen=True)
class Prepared:
    """What the loop needs."""

    model: keras.Model
    make: Callable[[np.random.Generator], tuple[Any, Any]]


def hosts(data: Path, step_mm: float, seed: int) -> list[Host]:
    rng = np.random.default_rng(seed)
    return [Host(scan.at(step_mm), rng) for scan in whole_scans(data, "train")]


def bank(data: Path, seed: int, kept: Path = Path(".training")) -> list[Implant]:
    """The nodules of the train split, made once per seed and kept in the ignored training folder."""
    path = kept / f"bank-{seed}.npz"
    if path.exists():
        return restored(path)
    made = implants(data, "train", seed=seed)
    if kept.is_dir():
        stored(made, path)
    return made


def mined(path: Path | None) -> dict[str, np.ndarray[Any, Any]]:
    """False alarms of an earlier candidate network on the training scans: name -> (n, 3) voxels."""
    if path is None or not path.exists():
        return {}
    return {
        name: np.asarray(points, float).reshape(-1, 3)
        for name, points in json.loads(path.read_text()).items()
    }


def candidates(data: Path, batch: int, seed: int, hard: Path | None) -> Prepared:
    sampler = Sampler(hosts(data, CANDIDATES_STEP_MM, seed), bank(data, seed), size=64)
    places = mined(hard)
    model = detector.compiled(architectures.candidates(), 1e-3)
    pool = detector.Pool(lambda rng: detector.one_patch(rng, sampler, places))
    return Prepared(model, lambda rng: detector.batch(rng, pool, sampler.step, batch))


def reduction(data: Path, batch: int, seed: int, hard: Path | None, start: Path | None = None) -> Prepared:
    """`start`: weights of the candidate network whose trunk is taken over."""
    sampler = Sampler(hosts(data, REDUCTION_STEP_MM, seed), bank(data, seed), size=REDUCTION_PATCH[0] + 8)
    samples = patches.ReductionSamples(sampler, mined(hard))
    model = architectures.reduction(REDUCTION_PATCH)
    if start is not None:
        first = architectures.candidates()
        first.load_weights(start)
        architectures.share_trunk(first, model)
    model.compile(_optimizer(), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    return Prepared(model, lambda rng: samples.batch(rng, batch))


def _two_scales(data: Path, seed: int, size: int) -> tuple[Sampler, Sampler]:
    nodules = bank(data, seed)
    steps = (OUTLINE_STEP_MM, OUTLINE_COARSE_STEP_MM)
    fine, coarse = (Sampler(hosts(data, step, seed), nodules, size=size) for step in steps)
    return fine, coarse


def outline(data: Path, batch: int, seed: int, hard: Path | None) -> Prepared:
    samples = patches.OutlineSamples(*_two_scales(data, seed, OUTLINE_PATCH[0]))
    pool = detector.Pool(samples.one)
    model = architectures.outline(OUTLINE_PATCH)
    model.compile(_optimizer(), patches.outline_loss, jit_compile=False)
    return Prepared(model, lambda rng: patches.outline_batch(rng, pool.draw, batch))


def malignancy(data: Path, batch: int, seed: int, hard: Path | None) -> Prepared:
    fine, coarse = _two_scales(data, seed, MALIGNANCY_PATCH[0] + 8)
    samples = patches.MalignancySamples(fine, coarse, fine.bank, seed)
    model = architectures.malignancy(MALIGNANCY_PATCH, FEATURES)
    model.compile(_optimizer(), patches.malignancy_loss, jit_compile=False)
    return Prepared(model, lambda rng: samples.batch(rng, batch))


def _optimizer() -> keras.optimizers.Optimizer:
    return keras.optimizers.AdamW(1e-3, weight_decay=1e-3, clipnorm=5.0)


TASKS: dict[str, Callable[[Path, int, int, Path | None], Prepared]] = {
    "candidates": candidates,
    "reduction": reduction,
    "outline": outline,
    "malignancy": malignancy,
}
