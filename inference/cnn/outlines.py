"""The outline of each nodule: a 3D network on a patch, mapped back onto the voxels of the volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.candidates import patch_at
from inference.cnn.networks import Network
from inference.cnn.preprocessing import (
    OUTLINE_COARSE_STEP_MM,
    OUTLINE_PATCH,
    OUTLINE_STEP_MM,
    outline_input,
)
from inference.cnn.reduction import Judged
from inference.cnn.resampling import sample_grid
from scans.dicom.geometry import Triple

COARSE_FROM_MM = 26.0
SIZE = OUTLINE_PATCH[0]

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Outlined:
    """A judged candidate with its outline on the volume's voxels, and the probability it came from.

    `probability` is a cube of `step_mm` whose voxel 0 lies at `first_mm` (z, y, x along the array axes); it
    is 0 outside the one piece that was taken.
    """

    judged: Judged
    start: tuple[int, int, int]
    mask: Mask
    probability: FloatArray
    first_mm: Triple
    step_mm: float


def one_piece(probability: FloatArray, reach: float) -> FloatArray:
    """The probability of the piece at the middle, or of the nearest within `reach` voxels; zeros if none.

    Cut at a half; fainter nodules at a third and a fifth.
    """
    middle = np.array(probability.shape) // 2
    for threshold in (0.5, 0.33, 0.2):
        labels, count = ndimage.label(probability >= threshold)
        if not count:
            continue
        at = np.argwhere(labels > 0)
        distance = np.linalg.norm(at - middle, axis=1)
        nearest = int(np.argmin(distance))
        if distance[nearest] <= reach:
            piece = labels == labels[tuple(at[nearest])]
            around = ndimage.binary_dilation(piece, iterations=2) & ((labels == 0) | piece)
            scaled = np.clip(probability * (0.5 / threshold), 0, 1)
            return np.asarray(np.where(around, scaled, 0), np.float32)
    return np.zeros(probability.shape, np.float32)


def ball(radius: float) -> FloatArray:
    """A ball in the middle of the patch: what is drawn where the network sees no edge."""
    axes = np.indices(OUTLINE_PATCH) - SIZE // 2
    distance = np.sqrt((axes**2).sum(axis=0))
    return np.asarray(np.clip(radius + 0.5 - distance, 0, 1), np.float32)


def probabilities(
    hu: NDArray[np.int16],
    spacing_mm: Triple,
    places: Sequence[Triple],
    steps: Sequence[float],
    network: Network,
) -> FloatArray:
    """(n, z, y, x) probability per voxel of each patch, mean of the patch and its left-right mirror."""
    cubes = [patch_at(hu, spacing_mm, p, SIZE, s) for p, s in zip(places, steps, strict=True)]
    inputs = np.stack([outline_input(c) for c in cubes])
    mirrored = np.ascontiguousarray(inputs[:, :, :, ::-1])
    logits = (network(inputs)[..., 0] + network(mirrored)[:, :, :, ::-1, 0]) / 2
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def on_voxels(
    probability: FloatArray, first_mm: Triple, step_mm: float, spacing_mm: Triple, shape: tuple[int, int, int]
) -> tuple[tuple[int, int, int], Mask]:
    """(start, mask) of the outline among the voxels of the volume; at least one voxel."""
    inside = np.argwhere(probability >= 0.5)
    low_mm = inside.min(axis=0) * step_mm + np.asarray(first_mm) - 2 * step_mm
    high_mm = inside.max(axis=0) * step_mm + np.asarray(first_mm) + 2 * step_mm
    low = np.clip(np.floor(low_mm / spacing_mm), 0, np.array(shape) - 1).astype(int)
    high = np.clip(np.ceil(high_mm / spacing_mm), low, np.array(shape) - 1).astype(int) + 1
    z, y, x = (float(v) for v in low * np.asarray(spacing_mm) - np.asarray(first_mm))
    size = (int(high[0] - low[0]), int(high[1] - low[1]), int(high[2] - low[2]))
    padded = np.pad(probability, 1)
    first = (z + step_mm, y + step_mm, x + step_mm)
    steps = (step_mm, step_mm, step_mm)
    values = sample_grid(padded, steps, first, size, spacing_mm, smooth=False)
    mask = values >= 0.5
    if not mask.any():
        mask[np.unravel_index(int(np.argmax(values)), mask.shape)] = True
    return _tight((int(low[0]), int(low[1]), int(low[2])), mask)


def _tight(start: tuple[int, int, int], mask: Mask) -> tuple[tuple[int, int, int], Mask]:
    at = np.argwhere(mask)
    low, high = at.min(axis=0), at.max(axis=0) + 1
    cut = mask[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    return (start[0] + int(low[0]), start[1] + int(low[1]), start[2] + int(low[2])), np.ascontiguousarray(cut)


def _cut_off(piece: FloatArray) -> bool:
    """Whether the outline meets the patch's border."""
    inside = piece >= 0.5
    return any(bool(np.take(inside, side, axis=a).any()) for a in range(3) for side in (0, -1))


def _outlined(
    judged: Judged, probability: FloatArray, step: float, spacing_mm: Triple, shape: tuple[int, int, int]
) -> Outlined:
    diameter = judged.candidate.diameter_mm
    piece = one_piece(probability, max(3.0, 0.4 * diameter) / step)
    if not (piece >= 0.5).any():
        piece = ball(max(diameter / 2, 1.5) / step)
    z, y, x = (v - SIZE // 2 * step for v in judged.candidate.zyx_mm)
    start, mask = on_voxels(piece, (z, y, x), step, spacing_mm, shape)
    return Outlined(judged, start, mask, piece, (z, y, x), step)


def outline_all(
    hu: NDArray[np.int16], spacing_mm: Triple, judged: Sequence[Judged], network: Network
) -> list[Outlined]:
    """An outline for each; those that leave the fine patch are drawn again on the coarse one."""
    if not judged:
        return []
    steps = [
        OUTLINE_COARSE_STEP_MM if j.candidate.diameter_mm >= COARSE_FROM_MM else OUTLINE_STEP_MM
        for j in judged
    ]
    places = [j.candidate.zyx_mm for j in judged]
    shape = (hu.shape[0], hu.shape[1], hu.shape[2])
    maps = probabilities(hu, spacing_mm, places, steps, network)
    found = [_outlined(j, p, s, spacing_mm, shape) for j, p, s in zip(judged, maps, steps, strict=True)]
    again = [i for i, o in enumerate(found) if o.step_mm == OUTLINE_STEP_MM and _cut_off(o.probability)]
    if again:
        coarse = [OUTLINE_COARSE_STEP_MM] * len(again)
        maps = probabilities(hu, spacing_mm, [places[i] for i in again], coarse, network)
        for i, p in zip(again, maps, strict=True):
            found[i] = _outlined(judged[i], p, OUTLINE_COARSE_STEP_MM, spacing_mm, shape)
    return without_doubles(found)


def _overlap(one: Outlined, other: Outlined) -> float:
    """Shared voxels over those of the smaller outline."""
    low = np.maximum(one.start, other.start)
    high = np.minimum(np.add(one.start, one.mask.shape), np.add(other.start, other.mask.shape))
    if (high <= low).any():
        return 0.0
    parts = [
        o.mask[tuple(slice(a - s, b - s) for a, b, s in zip(low, high, o.start, strict=True))]
        for o in (one, other)
    ]
    return float((parts[0] & parts[1]).sum()) / float(min(one.mask.sum(), other.mask.sum()))


def without_doubles(found: Sequence[Outlined]) -> list[Outlined]:
    """Of outlines that share more than a third, the more probable one."""
    kept: list[Outlined] = []
    for one in found:
        if all(_overlap(one, other) < 0.34 for other in kept):
            kept.append(one)
    return kept
