"""What the patch network learns from: LUNA16's JPEG patches, and slices of LIDC cut in the same way."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from inference.cnn.patch_classifier import PATCH, as_grey, patch_input
from inference.cnn.training.lidc import LidcNodule
from inference.cnn.training.slabs import sampled

Rng = np.random.Generator
FloatArray = NDArray[np.float32]
JPEG_SHARE = 0.7


@dataclass(frozen=True)
class Patches:
    """Grey patches (n, PATCH, PATCH), whether each is a nodule, and the group it must stay together with."""

    images: NDArray[np.uint8]
    labels: NDArray[np.bool_]
    groups: tuple[str, ...]


def luna_patches(data: Path, split: str) -> Patches:
    """One split of `luna16/patches.zip`."""
    with (data / "luna16" / "patches.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    with zipfile.ZipFile(data / "luna16" / "patches.zip") as archive:
        images = [np.asarray(Image.open(io.BytesIO(archive.read(r["file"]))).convert("L")) for r in rows]
    labels = np.array([r["label"] == "1" for r in rows])
    return Patches(np.stack(images), labels, tuple(r["group"] for r in rows))


def lidc_patches(nodules: list[LidcNodule]) -> NDArray[np.uint8]:
    """Slices through the middle of nodules of at least three readers, as grey patches with a nodule each."""
    cut = []
    for nodule in (n for n in nodules if len(n.masks) >= 3 and not n.cut):
        areas = (nodule.votes >= 0.5).sum(axis=(1, 2))
        for z in np.flatnonzero(areas >= 0.6 * max(areas.max(), 1)):
            y, x = np.clip(np.rint(ndimage.center_of_mass(nodule.votes[z])), 25, 39).astype(int)
            cut.append(as_grey(nodule.hu[z, y - 25 : y + 25, x - 25 : x + 25]))
    return np.stack(cut)


class PatchBatches:
    """Half nodules, half others; turned, moved by a few pixels, lighter or darker, blurred or noisy."""

    def __init__(self, given: Patches, more_nodules: NDArray[np.uint8]) -> None:
        self.nodules, self.others = given.images[given.labels], given.images[~given.labels]
        self.more = more_nodules

    def _some(self, rng: Rng, count: int) -> tuple[NDArray[np.uint8], FloatArray]:
        half = count // 2
        own = round(half * JPEG_SHARE) if len(self.more) else half
        parts = [
            self.nodules[rng.integers(len(self.nodules), size=own)],
            self.more[rng.integers(max(len(self.more), 1), size=half - own)],
            self.others[rng.integers(len(self.others), size=count - half)],
        ]
        return np.concatenate(parts), np.r_[np.ones(half), np.zeros(count - half)].astype(np.float32)

    def draw(self, rng: Rng, count: int) -> tuple[FloatArray, FloatArray]:
        images, labels = self._some(rng, count)
        angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
        scale = np.exp(rng.normal(0, 0.08, (count, 1, 1)))
        mirror = rng.choice([-1.0, 1.0], (count, 1, 1))
        grid = np.arange(PATCH) - (PATCH - 1) / 2
        u, v = np.meshgrid(grid, grid, indexing="ij")
        move = rng.normal(0, 1.2, (count, 2, 1, 1))
        v = v[None] * mirror
        rows = (np.cos(angle) * u[None] - np.sin(angle) * v) * scale + (PATCH - 1) / 2 + move[:, 0]
        cols = (np.sin(angle) * u[None] + np.cos(angle) * v) * scale + (PATCH - 1) / 2 + move[:, 1]
        grey = sampled(images[:, None], rows.astype(np.float32), cols.astype(np.float32))[:, 0]
        lit = grey * rng.normal(1, 0.06, (count, 1, 1)) + rng.normal(0, 6, (count, 1, 1))
        lit = lit + rng.standard_normal(grey.shape) * rng.uniform(0, 8, (count, 1, 1))
        return patch_input(np.clip(lit, 0, 255)), labels[:, None]
