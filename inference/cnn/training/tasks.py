"""One function per network: data in, a compiled model and its batches out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from inference.cnn import architectures
from inference.cnn.preprocessing import CANDIDATES_STEP_MM, REDUCTION_PATCH, REDUCTION_STEP_MM
from inference.cnn.slices import training as single
from inference.cnn.training import detector, patches, planar_tasks, seeking
from inference.cnn.training.augment import chances_of
from inference.cnn.training.bank import Implant, implants, restored, stored
from inference.cnn.training.config import Config
from inference.cnn.training.crops import Crops
from inference.cnn.training.lidc import LidcNodule, lidc_nodules
from inference.cnn.training.prepared import Fold, Prepared
from inference.cnn.training.sampler import Host, Sampler
from inference.cnn.training.whole import whole_scans


def hosts(data: Path, step_mm: float, seed: int) -> list[Host]:
    rng = np.random.default_rng(seed)
    return [Host(scan.at(step_mm), rng) for scan in whole_scans(data, "train")]


def bank(data: Path, seed: int, fold: Fold | None = None) -> list[Implant]:
    """The nodules of the train split; in cross-validation without the patients of the fold."""
    made = _whole_bank(data, seed)
    return [e for e in made if fold is None or fold.keeps(e.nodule_id.split("_")[0]) == "train"]


def _whole_bank(data: Path, seed: int, kept: Path = Path(".training")) -> list[Implant]:
    """Made once per seed and kept in the ignored training folder."""
    path = kept / f"bank-{seed}.npz"
    if path.exists():
        return restored(path)
    made = implants(data, "train", seed=seed)
    if kept.is_dir():
        stored(made, path)
    return made


def _nodules(data: Path, fold: Fold | None) -> list[LidcNodule]:
    """The train split; in cross-validation without the patients of the fold."""
    nodules = lidc_nodules(data, "train")
    return [n for n in nodules if fold is None or fold.keeps(n.patient_id) == "train"]


def mined(config: Config) -> dict[str, np.ndarray[Any, Any]]:
    """False alarms of an earlier candidate network on the training scans: name -> (n, 3) voxels."""
    if "hard" not in config.files:
        return {}
    path = Path(config.files["hard"])
    return {
        name: np.asarray(points, float).reshape(-1, 3)
        for name, points in json.loads(path.read_text()).items()
    }


def candidates(data: Path, config: Config, fold: Fold | None = None) -> Prepared:
    sampler = Sampler(
        hosts(data, CANDIDATES_STEP_MM, config.seed),
        bank(data, config.seed, fold),
        size=64,
        chances=chances_of(config.augmentation),
    )
    places = mined(config)
    model = detector.compiled(architectures.candidates(), config.rate)
    crops = Crops(_nodules(data, fold), CANDIDATES_STEP_MM)
    pool = detector.Pool(lambda rng: detector.one_patch(rng, sampler, places, crops))
    return Prepared(model, lambda rng: detector.batch(rng, pool, sampler.step, config.batch))


def reduction(data: Path, config: Config, fold: Fold | None = None) -> Prepared:
    """The file `trunk`: weights of the candidate network whose trunk is taken over."""
    sampler = Sampler(
        hosts(data, REDUCTION_STEP_MM, config.seed),
        bank(data, config.seed, fold),
        size=REDUCTION_PATCH[0] + 8,
        chances=chances_of(config.augmentation),
    )
    crops = Crops(_nodules(data, fold), REDUCTION_STEP_MM)
    samples = patches.ReductionSamples(sampler, mined(config), crops)
    model = architectures.reduction(REDUCTION_PATCH)
    if "trunk" in config.files:
        first = architectures.candidates()
        first.load_weights(config.files["trunk"])
        architectures.share_trunk(first, model)
    model.compile(_optimizer(config), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    return Prepared(model, lambda rng: samples.batch(rng, config.batch))


def _optimizer(config: Config) -> keras.optimizers.Optimizer:
    return keras.optimizers.AdamW(config.rate, weight_decay=config.weight_decay, clipnorm=5.0)


TASKS: dict[str, Callable[[Path, Config, Fold | None], Prepared]] = {
    "candidates": candidates,
    "reduction": reduction,
    "seeker": seeking.seeker,
    "outline": planar_tasks.outline,
    "malignancy": planar_tasks.malignancy,
    "patches": planar_tasks.patches,
    "slices": single.prepare,
}
