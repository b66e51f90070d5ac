"""Nodules of LIDC cut out with their surroundings on a 1 mm grid, ready to be set into other lungs.

LIDC's crops end with the nodule. Here each stack goes on beyond both ends: the last slice is repeated with
the nodule filled from its surroundings, a little shifted and with noise, and fades out (`alpha`), so that
neither the number of slices nor an edge at the nodule's end tells a network where it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.resampling import sample_grid
from inference.cnn.training.lidc import LidcNodule, lidc_nodules

BEYOND_MM = 14.0
KEPT_MM = 3.0
BORDER_MM = 4.0
ARRAYS = ("hu", "alpha", "votes", "center", "wall")


@dataclass(frozen=True)
class Implant:
    """A nodule in its surroundings, 1 mm per voxel.

    `hu` int16, `alpha` uint8 (how far it covers the host), `votes` uint8 (share of readers, 255 = all);
    `wall` is the direction (z, y, x) of the denser side, zero for a nodule inside the lung.
    """

    nodule_id: str
    hu: NDArray[np.int16]
    alpha: NDArray[np.uint8]
    votes: NDArray[np.uint8]
    center: NDArray[np.float64]
    wall: NDArray[np.float64]
    diameter_mm: float
    longest_mm: float
    malignancy: tuple[float, ...]
    texture: tuple[float, ...]
    cut: bool


def without_nodule(
    slice_hu: NDArray[np.float32], votes: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """The slice with the outlined pixels, two more around, filled from what lies about them."""
    hole = ndimage.binary_dilation(votes > 0, iterations=2)
    known = (~hole).astype(np.float32)
    filled = ndimage.gaussian_filter(slice_hu * known, 3) / np.maximum(
        ndimage.gaussian_filter(known, 3), 1e-3
    )
    noise = rng.normal(0, 25, slice_hu.shape)
    soft = ndimage.gaussian_filter(hole.astype(np.float32), 1.0)
    return np.asarray(
        slice_hu * (1 - soft) + (filled + ndimage.gaussian_filter(noise, 0.6)) * soft, np.float32
    )


def _beyond(nodule: LidcNodule, edge: int, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """`count` slices that follow slice `edge`, nearest first."""
    base = without_nodule(nodule.hu[edge].astype(np.float32), nodule.votes[edge], rng)
    drift = rng.normal(0, 0.4, 2)
    slices = []
    for i in range(1, count + 1):
        moved = ndimage.shift(base, drift * i, order=1, mode="nearest")
        slices.append(moved + ndimage.gaussian_filter(rng.normal(0, 20, base.shape), 0.6))
    return np.asarray(slices, np.float32)


def _alpha(nodule: LidcNodule, beyond: int) -> NDArray[np.float32]:
    """1 over the nodule's slices, fading beyond them and at the border of the 64 x 64 window."""
    z = np.arange(-beyond, nodule.hu.shape[0] + beyond)
    outside = np.maximum(np.maximum(-z, z - nodule.hu.shape[0] + 1), 0) * nodule.spacing_mm[0]
    fade = np.clip(1 - (outside - KEPT_MM) / (BEYOND_MM - KEPT_MM - 1), 0, 1)
    sides = []
    for axis in (1, 2):
        n = nodule.hu.shape[axis]
        rim = np.minimum(np.arange(n), np.arange(n)[::-1]) * nodule.spacing_mm[axis]
        sides.append(np.clip(rim / BORDER_MM, 0, 1))
    return np.asarray(fade[:, None, None] * sides[0][None, :, None] * sides[1][None, None, :], np.float32)


def _wall(
    hu: NDArray[np.float32], votes: NDArray[np.float32], center: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Direction of dense tissue 2 to 6 mm around the nodule; zero where it is under a quarter of the ring."""
    distance = ndimage.distance_transform_edt(votes < 0.5)
    ring = (distance > 2) & (distance < 6)
    dense = ring & (hu > -300)
    if dense.sum() < 0.25 * ring.sum():
        return np.zeros(3)
    offset = np.argwhere(dense).mean(axis=0) - center
    return np.asarray(offset / max(float(np.linalg.norm(offset)), 1e-6))


def extended(nodule: LidcNodule, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(hu, votes) of the stack with BEYOND_MM more at both ends, native voxels."""
    count = int(np.ceil(BEYOND_MM / nodule.spacing_mm[0]))
    before = _beyond(nodule, 0, count, rng)[::-1]
    after = _beyond(nodule, -1, count, rng)
    hu = np.concatenate([before, nodule.hu.astype(np.float32), after])
    return hu, np.pad(nodule.votes, ((count, count), (0, 0), (0, 0)))


def implant(nodule: LidcNodule, rng: np.random.Generator) -> Implant:
    """One nodule on the 1 mm grid."""
    hu, votes = extended(nodule, rng)
    count = (hu.shape[0] - nodule.hu.shape[0]) // 2
    z, y, x = (int((n - 1) * s) + 1 for n, s in zip(hu.shape, nodule.spacing_mm, strict=True))
    grid = ((0.0, 0.0, 0.0), (z, y, x), (1.0, 1.0, 1.0))
    at_1mm = sample_grid(hu, nodule.spacing_mm, *grid)
    votes_1mm = sample_grid(votes, nodule.spacing_mm, *grid)
    alpha = sample_grid(_alpha(nodule, count), nodule.spacing_mm, *grid)
    inside = votes_1mm >= min(0.5, float(votes_1mm.max()))
    center = np.argwhere(inside).mean(axis=0)
    return Implant(
        nodule.nodule_id,
        np.rint(at_1mm).astype(np.int16),
        np.rint(alpha * 255).astype(np.uint8),
        np.rint(np.clip(votes_1mm, 0, 1) * 255).astype(np.uint8),
        center,
        _wall(at_1mm, votes_1mm, center),
        nodule.diameter_mm,
        nodule.longest_mm,
        nodule.malignancy,
        nodule.texture,
        nodule.cut,
    )


def implants(data: Path, split: str, *, seed: int = 0) -> list[Implant]:
    """Every nodule of a split, made anew from the same seed."""
    rng = np.random.default_rng(seed)
    return [implant(n, rng) for n in lidc_nodules(data, split)]


def stored(bank: list[Implant], path: Path) -> None:
    """Keep a bank on disk, so that the next training starts at once."""
    arrays = {f"{name}_{i}": getattr(e, name) for i, e in enumerate(bank) for name in ARRAYS}
    plain = [{k: v for k, v in vars(e).items() if k not in ARRAYS} for e in bank]
    np.savez(path, facts=np.array(json.dumps(plain)), **arrays)


def restored(path: Path) -> list[Implant]:
    """The bank that `stored` kept."""
    with np.load(path) as kept:
        facts = json.loads(str(kept["facts"]))
        for fact in facts:
            fact["malignancy"], fact["texture"] = tuple(fact["malignancy"]), tuple(fact["texture"])
        return [Implant(**f, **{n: kept[f"{n}_{i}"] for n in ARRAYS}) for i, f in enumerate(facts)]
