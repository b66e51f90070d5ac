"""Training the candidate network: implants in whole lungs, centre heat map at stride 4."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from inference.cnn.preprocessing import CANDIDATES_STRIDE, candidates_input
from inference.cnn.training.crops import Crops
from inference.cnn.training.sampler import Patch, Rng, Sampler

FloatArray = NDArray[np.float32]
T = TypeVar("T", bound=np.generic)
CROPS_SHARE = 0.34


def heat_target(patch: Patch, step_mm: float) -> FloatArray:
    """(cells, cells, cells, 7): heat 0..1, weight, offset z y x in cells, log diameter, whether a centre."""
    n = patch.hu.shape[0] // CANDIDATES_STRIDE
    target = np.zeros((n, n, n, 7), np.float32)
    cells = patch.lungs.reshape(n, 4, n, 4, n, 4).any(axis=(1, 3, 5))
    target[..., 1] = np.where(cells, 1.0, 0.15)
    if patch.own is not None:
        target[..., 1] *= patch.own.reshape(n, 4, n, 4, n, 4).any(axis=(1, 3, 5))
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1)
    middle = (CANDIDATES_STRIDE - 1) / 2
    for mark in patch.marks:
        at = (mark.center - middle) / CANDIDATES_STRIDE
        distance = np.linalg.norm(grid - at, axis=-1)
        if not mark.nodule:
            target[distance < 1.5, 1] = 0
            continue
        sigma = max(mark.diameter_mm / step_mm / CANDIDATES_STRIDE / 5, 0.7)
        heat = np.exp(-0.5 * (distance / sigma) ** 2)
        target[..., 0] = np.maximum(target[..., 0], heat)
        near = distance < max(1.0, sigma)
        target[near, 2:5] = (at - grid)[near]
        target[near, 5] = np.log(mark.diameter_mm)
        target[near, 6] = 1
        peak = np.rint(at).astype(int)
        if (peak >= 0).all() and (peak < n).all():
            target[*peak, 0], target[*peak, 1], target[*peak, 6] = 1, 1, 1
            target[*peak, 2:5], target[*peak, 5] = at - peak, np.log(mark.diameter_mm)
    return target


def detector_loss(y_true: Any, y_pred: Any) -> Any:
    """Penalty-reduced focal loss on centres (Zhou et al., 2019) and L1 on place and size."""
    heat, weight, place, near = y_true[..., 0], y_true[..., 1], y_true[..., 2:6], y_true[..., 6]
    logit = y_pred[..., 0]
    p = ops.clip(ops.sigmoid(logit), 1e-5, 1 - 1e-5)
    hit = ops.cast(heat > 0.99, "float32")
    centres = hit * ops.square(1 - p) * ops.log(p)
    others = (1 - hit) * weight * (1 - heat) ** 4 * ops.square(p) * ops.log(1 - p)
    regression = near * ops.sum(ops.abs(y_pred[..., 1:5] - place), axis=-1)
    count = ops.sum(hit) + 1.0
    return (-ops.sum(2 * centres + others) + 0.3 * ops.sum(regression) / (1 + ops.sum(near)) * count) / count


def one_patch(
    rng: Rng, sampler: Sampler, hard: dict[str, NDArray[np.float64]], crops: Crops | None = None
) -> Patch:
    """A third crops as they are; of the rest six in ten with implants, the others plain lung.

    Plain: about marked lesions, mined false alarms, anywhere.
    """
    if crops is not None and rng.random() < CROPS_SHARE:
        return sampler.vary(rng, crops.patch(rng, sampler.size))
    draw = rng.random()
    pasted = sampler.chances["copy_paste"]
    if draw < pasted:
        patch = sampler.implanted(rng, jitter_mm=24)
    elif draw < pasted + 0.1:
        host = sampler.hosts[int(rng.choice([i for i, h in enumerate(sampler.hosts) if h.scan.lesions]))]
        marks = [m for m in host.scan.lesions if m.kind == "nodule"]
        lesion = marks[int(rng.integers(len(marks)))]
        patch = sampler.plain(rng, host.scan.index(lesion) + rng.uniform(-16, 16, 3), host)
    else:
        host = sampler.host(rng)
        mined = hard.get(host.scan.name, np.zeros((0, 3)))
        point = mined[int(rng.integers(len(mined)))] if len(mined) and rng.random() < 0.6 else None
        patch = sampler.plain(rng, point, host)
        if rng.random() < 0.5:
            sampler.decoy(rng, patch, rng.uniform(16, sampler.size - 16, 3))
    return sampler.vary(rng, patch)


def mirrored(rng: Rng, patch: Patch) -> Patch:
    """Flipped along random axes, rows and columns exchanged at times."""
    n = patch.hu.shape[0]
    axes = tuple(a for a in range(3) if rng.random() < 0.5)
    swap = rng.random() < 0.5

    def turned(values: NDArray[T]) -> NDArray[T]:
        flipped = np.flip(values, axes)
        return flipped.swapaxes(1, 2) if swap else flipped

    patch.hu, patch.lungs, patch.votes = turned(patch.hu), turned(patch.lungs), turned(patch.votes)
    patch.own = None if patch.own is None else turned(patch.own)
    for mark in patch.marks:
        for a in axes:
            mark.center[a] = n - 1 - mark.center[a]
        if swap:
            mark.center[[1, 2]] = mark.center[[2, 1]]
    return patch


class Pool:
    """Keeps patches for a while: each is shown about twice, mirrored anew."""

    def __init__(self, make: Callable[[Rng], Patch], *, size: int = 300, again: float = 0.55) -> None:
        self.make, self.size, self.again = make, size, again
        self.kept: list[Patch] = []

    def draw(self, rng: Rng) -> Patch:
        if len(self.kept) >= self.size and rng.random() < self.again:
            return copy.deepcopy(self.kept[int(rng.integers(self.size))])
        patch = self.make(rng)
        if len(self.kept) < self.size:
            self.kept.append(copy.deepcopy(patch))
        else:
            self.kept[int(rng.integers(self.size))] = copy.deepcopy(patch)
        return patch


def batch(rng: Rng, pool: Pool, step_mm: float, count: int) -> tuple[FloatArray, FloatArray]:
    """Inputs and targets of `count` patches."""
    patches = [mirrored(rng, pool.draw(rng)) for _ in range(count)]
    x = np.stack([candidates_input(p.hu) for p in patches])
    return x, np.stack([heat_target(p, step_mm) for p in patches])


def compiled(model: keras.Model, rate: Any) -> keras.Model:
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=5.0), detector_loss, jit_compile=False
    )
    return model
