"""A look at single slices: whether the middle of a 50 x 50 patch of native pixels is a nodule, as LUNA16
asks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.cnn.networks import Network

PATCH = 50
LOW_HU, HIGH_HU = -1000, 400

FloatArray = NDArray[np.float32]


def as_grey(hu: NDArray[np.generic]) -> NDArray[np.uint8]:
    """HU to the 8 bits of LUNA16's patches: -1000..400 HU on 0..255, clipped at both ends."""
    part = (np.clip(hu, LOW_HU, HIGH_HU) - LOW_HU) / (HIGH_HU - LOW_HU)
    return np.asarray(np.rint(part * 255), np.uint8)


def patch_input(grey: NDArray[np.generic]) -> FloatArray:
    """(n, PATCH, PATCH) grey 0..255 to (n, PATCH, PATCH, 1) in -1..1."""
    return np.asarray(np.asarray(grey, np.float32) / 127.5 - 1, np.float32)[..., None]


def score_patches(images: NDArray[np.uint8], network: Network) -> FloatArray:
    """Probability (n,) for patches (n, PATCH, PATCH): mean logit over turns by 90 degrees and mirror
    images."""
    inputs = patch_input(images)
    turns = [np.rot90(x, k, (1, 2)) for x in (inputs, inputs[:, :, ::-1]) for k in range(4)]
    logits = np.mean([network(np.ascontiguousarray(t)).mean(axis=1) for t in turns], axis=0)
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)
