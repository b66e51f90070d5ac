"""How suspicious a nodule looks: networks trained on radiologists' ratings, their spread, and the traits
they see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.features import MARGIN_MM, nodule_features
from inference.cnn.networks import Network
from inference.cnn.outlines import Outlined
from inference.cnn.preprocessing import (
    MALIGNANCY_PIXEL_MM,
    MALIGNANCY_SLICE_MM,
    MALIGNANCY_SLICES,
    MALIGNANCY_WINDOW,
    malignancy_input,
)
from inference.cnn.resampling import sample_grid
from scans.dicom.geometry import Triple

MEMBERS = 5
TRAITS = ("spiculation", "lobulation", "margin", "sphericity", "subtlety", "texture", "calcified")
OUTPUTS = 1 + len(TRAITS)
COARSE_FROM_MM = 30.0
MIRRORS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2))

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Rating:
    """Probability that radiologists call it suspicious with its interval, and the traits.

    `traits` on the scales of LIDC (1 to 5; texture 1 ground glass, 5 solid; margin 5 sharp); "calcified" 0
    to 1.
    """

    malignancy: float
    low: float
    high: float
    traits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """HU and outline probability (slices, y, x) around one outlined nodule, its numbers, and the
    coarseness."""

    hu: FloatArray
    outline: FloatArray
    features: FloatArray
    coarse: int


def view_place(
    found: Outlined, *, window: int = MALIGNANCY_WINDOW, slices: int = MALIGNANCY_SLICES
) -> tuple[Triple, Triple, int]:
    """(first voxel mm, steps mm, coarseness) of the planes about the slice with the largest area."""
    inside = found.probability >= 0.5
    steps, first = np.asarray(found.spacing_mm), np.asarray(found.first_mm)
    at = np.argwhere(inside) * steps
    extent = float((at.max(axis=0) - at.min(axis=0)).max())
    coarse = max(int(np.ceil(extent / COARSE_FROM_MM)), 1)
    middle = at.mean(axis=0) + first
    middle[0] = int(np.argmax(inside.sum(axis=(1, 2)))) * steps[0] + first[0]
    step = (MALIGNANCY_SLICE_MM * coarse, MALIGNANCY_PIXEL_MM * coarse, MALIGNANCY_PIXEL_MM * coarse)
    z, y, x = (
        float(m - (n - 1) / 2 * s) for m, n, s in zip(middle, (slices, window, window), step, strict=True)
    )
    return (z, y, x), step, coarse


def view(
    hu: NDArray[np.int16],
    spacing_mm: Triple,
    found: Outlined,
    *,
    window: int = MALIGNANCY_WINDOW,
    slices: int = MALIGNANCY_SLICES,
) -> View:
    """What the networks are shown: planes about the slice with the largest area, and the outline's
    numbers."""
    first, step, coarse = view_place(found, window=window, slices=slices)
    z, y, x = (f - o + s for f, o, s in zip(first, found.first_mm, found.spacing_mm, strict=True))
    shape, padded = (slices, window, window), np.pad(found.probability, 1)
    outline = sample_grid(padded, found.spacing_mm, (z, y, x), shape, step, smooth=False)
    block = sample_grid(hu, spacing_mm, first, shape, step)
    return View(block, outline, features_of(hu, spacing_mm, found), coarse)


def sample(hu: NDArray[np.int16], spacing_mm: Triple, found: Outlined) -> tuple[FloatArray, FloatArray]:
    """The networks' two inputs for one outlined nodule: planes and numbers."""
    seen = view(hu, spacing_mm, found)
    return malignancy_input(seen.hu, seen.outline, seen.coarse), seen.features


def features_of(hu: NDArray[np.int16], spacing_mm: Triple, found: Outlined) -> FloatArray:
    """The numbers of the outline on its own grid, with MARGIN_MM around."""
    inside = found.probability >= 0.5
    at = np.argwhere(inside)
    steps = np.asarray(found.spacing_mm)
    margin = np.ceil(MARGIN_MM / steps).astype(int)
    low, high = at.min(axis=0) - margin, at.max(axis=0) + margin + 1
    first = np.asarray(found.first_mm) + low * steps
    shape = (int(high[0] - low[0]), int(high[1] - low[1]), int(high[2] - low[2]))
    block = sample_grid(hu, spacing_mm, tuple(first), shape, found.spacing_mm)
    mask = np.zeros(shape, bool)
    mask[tuple((at - low).T)] = True
    return nodule_features(block, mask, found.spacing_mm)


def logistic(values: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-values)), np.float32)


def summary(outputs: FloatArray, manifest: Mapping[str, Any]) -> Rating:
    """Of logits (mirrors, MEMBERS + 1, OUTPUTS): the calibrated rating with its interval, and the traits.

    `calibration`: constant, weight of the members that see pixels, weight of the numbers alone. The interval
    holds three in four of the readers' mean ratings of like nodules (`interval`, in logits, from
    cross-validation by patient), widened where the networks are at odds.
    """
    constant, seen_weight, alone_weight = manifest["calibration"]
    seen, alone = outputs[:, :MEMBERS, 0].mean(axis=0), outputs[:, MEMBERS, 0].mean()
    middle = float(constant + seen_weight * seen.mean() + alone_weight * alone)
    width = float(np.hypot(manifest["interval"], 1.64 * seen_weight * seen.std()))
    low, mean, high = (float(logistic(np.asarray(middle + d, np.float32))) for d in (-width, 0.0, width))
    shares = logistic(outputs[:, :, 1:]).mean(axis=0)
    both = (shares[:MEMBERS].mean(axis=0) + shares[MEMBERS]) / 2
    traits = {
        n: float(v) if n == "calcified" else 1 + 4 * float(v) for n, v in zip(TRAITS, both, strict=True)
    }
    return Rating(mean, low, high, traits)


def rate(
    hu: NDArray[np.int16], spacing_mm: Triple, found: Sequence[Outlined], network: Network
) -> list[Rating]:
    """One rating for each nodule."""
    if not found:
        return []
    samples = [sample(hu, spacing_mm, f) for f in found]
    images, numbers = (np.stack([s[i] for s in samples]) for i in range(2))
    turned = [np.ascontiguousarray(np.flip(images, axes) if axes else images) for axes in MIRRORS]
    outputs = np.stack([network(t, numbers) for t in turned], axis=1)
    return [summary(values.reshape(-1, MEMBERS + 1, OUTPUTS), network.manifest) for values in outputs]
