"""A second look at each candidate that weeds out vessels, scars and ribs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.cnn.candidates import Candidate, patch_at
from inference.cnn.networks import Network
from inference.cnn.preprocessing import REDUCTION_PATCH, REDUCTION_STEP_MM, reduction_input
from scans.dicom.geometry import Triple

FloatArray = NDArray[np.float32]
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


def judge(
    hu: NDArray[np.int16], spacing_mm: Triple, candidates: Sequence[Candidate], network: Network
) -> list[Judged]:
    """All candidates, most probable first."""
    if not candidates:
        return []
    size = REDUCTION_PATCH[0]
    inputs = np.stack(
        [reduction_input(patch_at(hu, spacing_mm, c.zyx_mm, size, REDUCTION_STEP_MM)) for c in candidates]
    )
    logits = mirrored_mean(network, inputs)
    calibration = network.manifest["calibration"]
    judged = [
        Judged(c, p_nodule(c.score, float(v), calibration)) for c, v in zip(candidates, logits, strict=True)
    ]
    return sorted(judged, key=lambda j: -j.p_nodule)
