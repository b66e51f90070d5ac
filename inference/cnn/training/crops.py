"""LIDC's crops as they are, continued beyond their ends by reflection: nodules in their own surroundings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.cnn.resampling import isotropic
from inference.cnn.training.lidc import LidcNodule
from inference.cnn.training.sampler import Mark, Patch, Rng

JITTER_MM = 22.0
DENSE_HU = -500


def folded(index: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Indices beyond 0..n-1 mirrored back, the edge voxel not repeated."""
    if n == 1:
        return np.zeros_like(index)
    period = 2 * (n - 1)
    at = np.mod(index, period)
    return np.asarray(np.where(at > n - 1, period - at, at), np.intp)


class Crops:
    """Patches around single nodules; what is mirrored counts neither as nodule nor as background."""

    def __init__(self, nodules: list[LidcNodule], step_mm: float) -> None:
        self.step = step_mm
        self.kept = [n for n in nodules if not n.cut]
        self.volumes = [np.rint(isotropic(n.hu, n.spacing_mm, step_mm)).astype(np.int16) for n in self.kept]
        weight = np.array([len(n.masks) ** 0.5 * min(max(n.diameter_mm, 4), 20) ** 0.3 for n in self.kept])
        self.chance = weight / weight.sum()

    def patch(self, rng: Rng, size: int, *, jitter_mm: float = JITTER_MM) -> Patch:
        """A cube around a nodule that lies up to `jitter_mm` from its middle along each axis."""
        k = int(rng.choice(len(self.kept), p=self.chance))
        shift = rng.uniform(-jitter_mm, jitter_mm, 3) / self.step
        return self._cut(k, self.center(k) + shift, size)

    def center(self, k: int) -> NDArray[np.float64]:
        """Voxel (fractional) of a nodule's centre."""
        nodule = self.kept[k]
        most = min(0.5, float(nodule.votes.max()))
        at = np.argwhere(nodule.votes >= most).mean(axis=0)
        return np.asarray(at * nodule.spacing_mm / self.step)

    def beside(self, rng: Rng, size: int) -> Patch | None:
        """A cube about something dense in a crop, clear of its nodule; None where the draw finds nothing."""
        k = int(rng.choice(len(self.kept), p=self.chance))
        volume, center = self.volumes[k], self.center(k)
        at = np.argwhere(volume > DENSE_HU).astype(float)
        gap = np.linalg.norm(at - center, axis=1) * self.step
        at = at[gap > self.kept[k].longest_mm / 2 + 6]
        return self._cut(k, at[int(rng.integers(len(at)))], size) if len(at) else None

    def _cut(self, k: int, middle: NDArray[np.float64], size: int) -> Patch:
        nodule, volume, center = self.kept[k], self.volumes[k], self.center(k)
        start = np.rint(middle - size / 2).astype(int)
        index = [np.arange(s, s + size) for s in start]
        hu = volume[np.ix_(*(folded(i, n) for i, n in zip(index, volume.shape, strict=True)))]
        z, y, x = ((i >= 0) & (i < n) for i, n in zip(index, volume.shape, strict=True))
        own = z[:, None, None] & y[None, :, None] & x[None, None, :]
        patch = Patch(hu.astype(np.float32), own, np.zeros(hu.shape, np.float32), own=own)
        patch.marks = [Mark(center - start, max(nodule.diameter_mm, 3.0), True)]
        return patch
