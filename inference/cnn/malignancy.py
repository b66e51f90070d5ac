"""How suspicious a nodule looks: five heads trained on radiologists' ratings, and their spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.cnn.candidates import patch_at
from inference.cnn.features import nodule_features
from inference.cnn.networks import Network
from inference.cnn.outlines import Outlined
from inference.cnn.preprocessing import MALIGNANCY_PATCH, malignancy_input
from inference.cnn.resampling import sample_grid
from scans.dicom.geometry import Triple

SIZE = MALIGNANCY_PATCH[0]
COARSE_FROM_MM = 28.0
MIRRORS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (3,))

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Rating:
    """Probability that radiologists call it suspicious, its interval, and the texture (0..1, 1 solid)."""

    malignancy: float
    low: float
    high: float
    texture: float


def sample(hu: NDArray[np.int16], spacing_mm: Triple, found: Outlined) -> tuple[FloatArray, FloatArray]:
    """The network's two inputs for one outlined nodule."""
    at = np.argwhere(found.probability >= 0.5)
    extent = ((at.max(axis=0) - at.min(axis=0) + 1) * np.asarray(found.spacing_mm)).max()
    step = 2.0 if extent > COARSE_FROM_MM else 1.0
    z, y, x = (float(v) for v in at.mean(axis=0) * np.asarray(found.spacing_mm) + np.asarray(found.first_mm))
    cube = patch_at(hu, spacing_mm, (z, y, x), SIZE, step)
    first = tuple(
        v - SIZE // 2 * step - f + s
        for v, f, s in zip((z, y, x), found.first_mm, found.spacing_mm, strict=True)
    )
    padded = np.pad(found.probability, 1)
    outline = sample_grid(padded, found.spacing_mm, first, (SIZE,) * 3, (step,) * 3)  # type: ignore[arg-type]
    return malignancy_input(cube, outline), nodule_features(cube, outline >= 0.5, step)


def summary(logits: FloatArray, calibration: Sequence[float]) -> Rating:
    """Of (mirrors, heads + 1) logits: mean over all heads, and the 5th to 95th percentile."""
    constant, slope = calibration
    heads = 1 / (1 + np.exp(-(constant + slope * logits[:, :-1])))
    low, high = np.percentile(heads, [5, 95])
    mean = float(heads.mean())
    texture = float((1 / (1 + np.exp(-logits[:, -1]))).mean())
    return Rating(mean, min(float(low), mean), max(float(high), mean), texture)


def rate(
    hu: NDArray[np.int16], spacing_mm: Triple, found: Sequence[Outlined], network: Network
) -> list[Rating]:
    """One rating for each nodule."""
    if not found:
        return []
    samples = [sample(hu, spacing_mm, f) for f in found]
    images, shapes = (np.stack([s[i] for s in samples]) for i in range(2))
    turned = [np.ascontiguousarray(np.flip(images, axes) if axes else images) for axes in MIRRORS]
    logits = np.stack([network(t, shapes) for t in turned], axis=1)
    return [summary(values, network.manifest["calibration"]) for values in logits]
