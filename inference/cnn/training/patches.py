"""Patches for the network that takes a second look: nodules, and what is taken for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.preprocessing import REDUCTION_PATCH, reduction_input
from inference.cnn.training.crops import Crops
from inference.cnn.training.detector import CROPS_SHARE, mirrored
from inference.cnn.training.sampler import Host, Patch, Rng, Sampler

FloatArray = NDArray[np.float32]
Places = dict[str, NDArray[np.float64]]


def middle(values: NDArray[Any], size: int, shift: NDArray[np.intp]) -> NDArray[Any]:
    """Cube of `size` about the middle, moved by `shift` voxels."""
    start = (values.shape[0] - size) // 2 + shift
    return values[tuple(slice(int(s), int(s) + size) for s in start)]


class ReductionSamples:
    """Half nodules, half what is taken for them: mined false alarms, vessels, seams without a nodule."""

    def __init__(self, sampler: Sampler, hard: Places, crops: Crops | None = None) -> None:
        self.sampler, self.hard, self.crops = sampler, hard, crops
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
        if self.crops is not None and rng.random() < CROPS_SHARE:
            return self.crops.beside(rng, self.sampler.size)
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
        if self.crops is not None and rng.random() < CROPS_SHARE:
            return self.crops.patch(rng, self.sampler.size, jitter_mm=1.5)
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
