"""What the malignancy network learns from: LIDC nodules outlined by our own network, with all their
readers' ratings."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.candidates import Candidate
from inference.cnn.malignancy import OUTPUTS, TRAITS, view
from inference.cnn.outlines import ByName, Outlined, outline_all
from inference.cnn.preprocessing import MALIGNANCY_SLICES, MALIGNANCY_WINDOW, malignancy_input
from inference.cnn.reduction import Judged
from inference.cnn.training.augment import USUAL, Chances
from inference.cnn.training.bank import extended
from inference.cnn.training.lidc import LidcNodule
from inference.cnn.training.slabs import other_scanner, sampled

Rng = np.random.Generator
FloatArray = NDArray[np.float32]
ROOM = 84
DEEP = MALIGNANCY_SLICES + 2
PADDED = 16
HINT_MM = 8.0


def placed(nodule: LidcNodule, rng: Rng, *, mirrored: bool, shift_px: float = 8.0) -> tuple[Any, Judged]:
    """A nodule's stack with room around it, and a place up to `shift_px` from its centre; no size is told.

    Above and below the stack goes on made up, or mirrored.
    """
    n = nodule.hu.shape[0]
    if mirrored:
        beyond = min(n, 8)
        hu = np.pad(nodule.hu, ((beyond, beyond), (0, 0), (0, 0)), mode="symmetric").astype(np.float32)
    else:
        hu = extended(nodule, rng)[0]
        beyond = (hu.shape[0] - n) // 2
    most = min(0.5, float(nodule.votes.max()))
    at = np.argwhere(nodule.votes >= most).mean(axis=0) + np.array([beyond, PADDED, PADDED])
    at += rng.uniform(-1, 1, 3) * (min(1, n // 3), shift_px, shift_px)
    wide = np.pad(hu, ((0, 0), (PADDED, PADDED), (PADDED, PADDED)), mode="reflect")
    z, y, x = (float(v) for v in at * nodule.spacing_mm)
    return np.rint(wide).astype(np.int16), Judged(Candidate((z, y, x), HINT_MM, 1.0), 1.0)


def targets(nodule: LidcNodule) -> tuple[FloatArray, FloatArray]:
    """(OUTPUTS targets 0..1, OUTPUTS weights): share of ratings above 3 (a 3 counts half), then the
    traits."""
    ratings = nodule.malignancy
    values, weights = np.zeros(OUTPUTS, np.float32), np.zeros(OUTPUTS, np.float32)
    if ratings:
        share = float(np.mean([0.5 if r == 3 else r > 3 for r in ratings]))
        mean = (float(np.mean(ratings)) - 1) / 4
        values[0], weights[0] = 0.5 * share + 0.5 * mean, len(ratings) / (len(ratings) + 1)
    for i, name in enumerate(TRAITS, 1):
        given = nodule.traits.get(name, ())
        if given:
            values[i] = np.mean([r != 6 for r in given]) if name == "calcified" else (np.mean(given) - 1) / 4
            weights[i] = 0.3 * len(given) / (len(given) + 1)
    return values, weights


@dataclass(frozen=True)
class Views:
    """Arrays over nodules times variants: raw blocks, outlines, numbers, coarseness, targets, owner."""

    hu: NDArray[np.int16]
    outline: NDArray[np.uint8]
    features: FloatArray
    coarse: NDArray[np.intp]
    values: FloatArray
    weights: FloatArray
    owner: NDArray[np.intp]


def views(nodules: list[LidcNodule], networks: ByName, seed: int, variants: int) -> Views:
    """Each nodule outlined `variants` times from places of its own."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for owner, nodule in enumerate(nodules):
        for variant in range(variants):
            volume, judged = placed(nodule, rng, mirrored=variant % 2 == 1)
            found: Outlined = outline_all(volume, nodule.spacing_mm, [judged], networks)[0]
            seen = view(volume, nodule.spacing_mm, found, window=ROOM, slices=DEEP)
            outline = np.rint(np.clip(seen.outline, 0, 1) * 255).astype(np.uint8)
            hu = np.clip(np.rint(seen.hu), -2000, 3000).astype(np.int16)
            rows.append((hu, outline, seen.features, seen.coarse, *targets(nodule), owner))
    return Views(*(np.array([r[i] for r in rows]) for i in range(7)))


def together(parts: list[Views]) -> Views:
    """Views of the same nodules, one after the other."""
    return Views(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Views)))


def turned(rng: Rng, n: int, chances: Chances) -> tuple[FloatArray, FloatArray]:
    """Rows and columns of windows turned, mirrored and moved about the middle of the room; size is kept."""
    w, angle = MALIGNANCY_WINDOW, rng.uniform(0, 2 * np.pi, n)
    angle = np.where(rng.random(n) < chances["rotate"], angle, np.rint(angle / (np.pi / 2)) * np.pi / 2)
    scale = np.exp(rng.normal(0, 0.04, n))
    grid = np.arange(w) - (w - 1) / 2
    u, v = np.meshgrid(grid, grid, indexing="ij")
    move = rng.uniform(-3, 3, (n, 2)) * (rng.random((n, 1)) < chances["shift"])
    mirror = np.where(rng.random(n) < chances["flip"], -1.0, 1.0)
    u, v = u[None] - move[:, :1, None], (v[None] - move[:, 1:, None]) * mirror[:, None, None]
    c, s = (np.cos(angle) * scale)[:, None, None], (np.sin(angle) * scale)[:, None, None]
    middle = (ROOM - 1) / 2
    return np.asarray(middle + c * u - s * v, np.float32), np.asarray(middle + s * u + c * v, np.float32)


class MalignancyBatches:
    """Random batches of some nodules: ([images, numbers], values and weights side by side)."""

    def __init__(self, data: Views, owners: set[int], chances: Chances = USUAL) -> None:
        self.data, self.chances = data, chances
        self.rows = np.flatnonzero([o in owners for o in data.owner])

    def draw(self, rng: Rng, count: int) -> tuple[list[FloatArray], FloatArray]:
        data = self.data
        index = rng.choice(self.rows, count)
        rows, cols = turned(rng, count, self.chances)
        low = rng.integers(0, DEEP - MALIGNANCY_SLICES + 1, count)
        planes = low[:, None] + np.arange(MALIGNANCY_SLICES)
        back = rng.random(count) < 0.5
        planes[back] = planes[back, ::-1]
        each = np.arange(count)[:, None]
        hu = other_scanner(rng, sampled(data.hu[index][each, planes], rows, cols), self.chances)
        outline = sampled(data.outline[index][each, planes], rows, cols) / 255
        x = np.stack(
            [malignancy_input(h, o, int(c)) for h, o, c in zip(hu, outline, data.coarse[index], strict=True)]
        )
        numbers = data.features[index] + rng.normal(0, 0.03, (count, data.features.shape[1]))
        y = np.concatenate([data.values[index], data.weights[index]], axis=1)
        return [x, np.asarray(numbers, np.float32)], y
