"""A second look at each candidate that weeds out vessels, scars and ribs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.candidates import Candidate, patch_at
from inference.cnn.networks import Network
from inference.cnn.preprocessing import REDUCTION_PATCH, REDUCTION_STEP_MM, reduction_input
from scans.dicom.geometry import Triple

FloatArray = NDArray[np.float32]
BONE_HU = 250
MIRRORS: tuple[tuple[int, ...], ...] = ((), (2,), (0,), (0, 2))


@dataclass(frozen=True)
class Judged:
    """A candidate with its probability to be a nodule."""

    candidate: Candidate
    p_nodule: float


def mirrored_mean(network: Network, inputs: FloatArray) -> FloatArray:
    """Mean logit (n,) over the patch and its mirror images along z and x."""
    logits = []
    for axes in MIRRORS:
        turned = np.flip(inputs, tuple(a + 1 for a in axes)) if axes else inputs
        logits.append(network(np.ascontiguousarray(turned))[:, 0])
    return np.asarray(np.mean(logits, axis=0), np.float32)


def logit(p: float) -> float:
    clipped = min(max(p, 1e-6), 1 - 1e-6)
    return float(np.log(clipped / (1 - clipped)))


def p_nodule(candidate_score: float, second_logit: float, calibration: Sequence[float]) -> float:
    """Logistic of both networks' logits; (constant, weight of the first, weight of the second)."""
    constant, first, second = calibration
    return float(1 / (1 + np.exp(-(constant + first * logit(candidate_score) + second * second_logit))))


def bony(cube: FloatArray) -> bool:
    """Whether the middle of the cube is part of the skeleton: a rib's head, a vertebra's process.

    Within 2.5 mm of the middle there is bone (above BONE_HU, marrow closed in) that goes on to the cube's
    border; calcium within a nodule does not.
    """
    bone = ndimage.binary_closing(np.pad(cube > BONE_HU, 4, mode="edge"), iterations=3)[4:-4, 4:-4, 4:-4]
    labels, _ = ndimage.label(bone)
    middle = cube.shape[0] // 2
    near = labels[tuple(slice(middle - 2, middle + 3) for _ in range(3))]
    if np.count_nonzero(near) < 0.2 * near.size:
        return False
    sides = [np.take(labels, side, axis=a) for a in range(3) for side in (0, -1)]
    reaching = np.unique(np.concatenate([s.ravel() for s in sides]))
    return bool(np.isin(near[near > 0], reaching).mean() > 0.5)


def judge(
    hu: NDArray[np.int16], spacing_mm: Triple, candidates: Sequence[Candidate], network: Network
) -> list[Judged]:
    """All candidates but those in bone, most probable first."""
    size = REDUCTION_PATCH[0]
    cubes = [patch_at(hu, spacing_mm, c.zyx_mm, size, REDUCTION_STEP_MM) for c in candidates]
    kept = [(c, cube) for c, cube in zip(candidates, cubes, strict=True) if not bony(cube)]
    if not kept:
        return []
    candidates = [c for c, _ in kept]
    inputs = np.stack([reduction_input(cube) for _, cube in kept])
    logits = mirrored_mean(network, inputs)
    calibration = network.manifest["calibration"]
    judged = [
        Judged(c, p_nodule(c.score, float(v), calibration)) for c, v in zip(candidates, logits, strict=True)
    ]
    return sorted(judged, key=lambda j: -j.p_nodule)
