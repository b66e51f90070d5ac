"""Patches for the three networks that look at one place: reduction, outline, malignancy."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.architectures import HEADS
from inference.cnn.features import nodule_features
from inference.cnn.preprocessing import (
    MALIGNANCY_PATCH,
    REDUCTION_PATCH,
    malignancy_input,
    outline_input,
    reduction_input,
)
from inference.cnn.training.bank import Implant
from inference.cnn.training.detector import mirrored
from inference.cnn.training.sampler import Host, Patch, Pose, Rng, Sampler, random_pose, set_in

FloatArray = NDArray[np.float32]
Places = dict[str, NDArray[np.float64]]


def middle(values: NDArray[Any], size: int, shift: NDArray[np.intp]) -> NDArray[Any]:
    """Cube of `size` about the middle, moved by `shift` voxels."""
    start = (values.shape[0] - size) // 2 + shift
    return values[tuple(slice(int(s), int(s) + size) for s in start)]


class ReductionSamples:
    """Half nodules, half what is taken for them: mined false alarms, vessels, seams without a nodule."""

    def __init__(self, sampler: Sampler, hard: Places) -> None:
        self.sampler, self.hard = sampler, hard
        self.vessels = {h.scan.name: self._dense(h) for h in sampler.hosts}

    @staticmethod
    def _dense(host: Host) -> NDArray[np.float64]:
        """Places within the lungs that are no air: vessels, fissures, the wall."""
        at = host.inside[host.scan.hu[tuple(host.inside.astype(int).T)] > -550]
        return at if len(at) else host.inside

    def _negative_place(self, rng: Rng, host: Host) -> NDArray[np.float64]:
        mined = self.hard.get(host.scan.name, np.zeros((0, 3)))
        if len(mined) and rng.random() < 0.7:
            return np.asarray(mined[int(rng.integers(len(mined)))], np.float64)
        places = self.vessels[host.scan.name]
        return np.asarray(places[int(rng.integers(len(places)))], np.float64)

    def _negative(self, rng: Rng) -> Patch | None:
        host = self.sampler.host(rng)
        point = self._negative_place(rng, host)
        patch = self.sampler.plain(rng, point, host)
        half = self.sampler.size / 2
        if any(np.linalg.norm(m.center - half) * host.step < m.diameter_mm / 2 + 8 for m in patch.marks):
            return None
        if rng.random() < 0.35:
            self._transplant(rng, patch)
        return patch

    def _transplant(self, rng: Rng, patch: Patch) -> None:
        """The same place in another lung, with a seam like an implant's."""
        other = self.sampler.host(rng)
        base = self.sampler.plain(rng, None, other)
        if base.marks:
            return
        n = patch.hu.shape[0]
        axes = (np.indices((n, n, n)) - n / 2).astype(np.float32)
        distance = np.sqrt((axes**2).sum(axis=0)) * self.sampler.step
        alpha = np.clip(1 - (distance - rng.uniform(4, 14)) / 4, 0, 1)
        patch.hu = base.hu + alpha * (patch.hu - base.hu)

    def _positive(self, rng: Rng) -> Patch:
        if rng.random() < 0.93:
            return self.sampler.implanted(rng, jitter_mm=0, more=1)
        with_lesions = [h for h in self.sampler.hosts if any(m.kind == "nodule" for m in h.scan.lesions)]
        host = with_lesions[int(rng.integers(len(with_lesions)))]
        marks = [m for m in host.scan.lesions if m.kind == "nodule"]
        return self.sampler.plain(rng, host.scan.index(marks[int(rng.integers(len(marks)))]), host)

    def one(self, rng: Rng) -> tuple[FloatArray, float]:
        """Input and label."""
        nodule = rng.random() < 0.5
        patch = self._positive(rng) if nodule else self._negative(rng)
        while patch is None:
            patch = self._negative(rng)
        patch = mirrored(rng, self.sampler.vary(rng, patch))
        shift = rng.integers(-2, 3, 3)
        return reduction_input(middle(patch.hu, REDUCTION_PATCH[0], shift)), float(nodule)

    def batch(self, rng: Rng, count: int) -> tuple[FloatArray, FloatArray]:
        drawn = [self.one(rng) for _ in range(count)]
        return np.stack([x for x, _ in drawn]), np.asarray([[y] for _, y in drawn], np.float32)


class OutlineSamples:
    """One nodule near the middle with what its readers outlined; large ones also on the 2 mm grid."""

    def __init__(self, fine: Sampler, coarse: Sampler) -> None:
        self.fine, self.coarse = fine, coarse

    def one(self, rng: Rng) -> Patch:
        large = rng.random() < 0.15
        sampler = self.coarse if large else self.fine
        bank = sampler.large if large else sampler.bank
        entry = bank[int(rng.integers(len(bank)))]
        scale = float(rng.uniform(1.0, 3.2)) if large else float(np.exp(rng.normal(0, 0.12)))
        host = sampler.host(rng)
        center, pose = sampler.place(rng, host, entry, scale)
        jitter = rng.normal(0, 1, 3) * (1.0 + 0.06 * entry.diameter_mm * scale) / sampler.step
        start = np.rint(center + jitter - sampler.size / 2).astype(int)
        patch = host.crop(start, sampler.size)
        set_in(patch, entry, center - start, pose, sampler.step, float(rng.uniform(6, 16)))
        return sampler.vary(rng, patch)


def outline_batch(rng: Rng, draw: Any, count: int) -> tuple[FloatArray, FloatArray]:
    patches = [mirrored(rng, draw(rng)) for _ in range(count)]
    x = np.stack([outline_input(p.hu) for p in patches])
    return x, np.stack([p.votes for p in patches])[..., None]


def outline_loss(y_true: Any, y_pred: Any) -> Any:
    """Cross-entropy against the share of readers, and soft Dice against their majority."""
    p = ops.sigmoid(y_pred)
    entropy = ops.maximum(y_pred, 0) - y_pred * y_true + ops.log(1 + ops.exp(-ops.abs(y_pred)))
    majority = ops.cast(y_true >= 0.5, "float32")
    overlap = ops.sum(p * majority, axis=(1, 2, 3, 4))
    both = ops.sum(p + majority, axis=(1, 2, 3, 4))
    return 20 * ops.mean(entropy) + ops.mean(1 - (2 * overlap + 10) / (both + 10))


def suspicion(ratings: tuple[float, ...]) -> float:
    """Share of the readers who rated above 3; a 3 counts half."""
    return float(np.mean([0.5 if r == 3 else float(r > 3) for r in ratings]))


class MalignancySamples:
    """Each nodule once more in another lung; heads differ in which patients they see (bootstrap)."""

    def __init__(self, fine: Sampler, coarse: Sampler, bank: list[Implant], seed: int) -> None:
        self.fine, self.coarse, self.bank = fine, coarse, bank
        rng = np.random.default_rng(seed)
        patients = sorted({e.nodule_id.split("_")[0] for e in bank})
        drawn = rng.poisson(1.0, (len(patients), HEADS)).astype(np.float32)
        self.seen = dict(zip(patients, drawn, strict=True))

    def patch(self, rng: Rng, entry: Implant, scale: float) -> tuple[Patch, Sampler]:
        sampler = self.coarse if entry.longest_mm * scale > 28 else self.fine
        host = sampler.host(rng)
        pose: Pose = random_pose(rng, scale)
        center = sampler.place(rng, host, entry, scale)[0] if rng.random() < 0.5 else host.inside[0]
        start = np.rint(center - sampler.size / 2).astype(int)
        patch = host.crop(start, sampler.size)
        set_in(patch, entry, center - start, pose, sampler.step, 24.0)
        return patch, sampler

    def one(self, rng: Rng) -> tuple[FloatArray, FloatArray, FloatArray]:
        entry = self.bank[int(rng.integers(len(self.bank)))]
        patch, sampler = self.patch(rng, entry, float(np.exp(rng.normal(0, 0.04))))
        if rng.random() < 0.5:
            patch = sampler.vary(rng, patch)
        patch = mirrored(rng, copy.deepcopy(patch))
        cube = MALIGNANCY_PATCH[0]
        shift = rng.integers(-1, 2, 3)
        hu, votes = (middle(v, cube, shift) for v in (patch.hu, patch.votes))
        votes = np.clip(ndimage.gaussian_filter(votes, rng.uniform(0.3, 0.9)) * rng.uniform(0.8, 1.4), 0, 1)
        mask = votes >= min(rng.uniform(0.3, 0.6), float(votes.max()) * 0.7)
        features = nodule_features(hu, mask, sampler.step)
        label = suspicion(entry.malignancy)
        texture = (float(np.mean(entry.texture)) - 1) / 4
        seen = self.seen[entry.nodule_id.split("_")[0]]
        target = np.concatenate([np.full(HEADS, label), [texture], seen, [1.0]]).astype(np.float32)
        return malignancy_input(hu, votes), features, target

    def batch(self, rng: Rng, count: int) -> tuple[list[FloatArray], FloatArray]:
        drawn = [self.one(rng) for _ in range(count)]
        x, f, y = (np.stack([d[i] for d in drawn]) for i in range(3))
        return [x, f], y


def malignancy_loss(y_true: Any, y_pred: Any) -> Any:
    """Cross-entropy per head, weighted by how often the head has drawn the patient."""
    label, weight = y_true[:, : HEADS + 1], y_true[:, HEADS + 1 :]
    entropy = ops.maximum(y_pred, 0) - y_pred * label + ops.log(1 + ops.exp(-ops.abs(y_pred)))
    return ops.sum(weight * entropy) / (ops.sum(weight) + 1e-3)
