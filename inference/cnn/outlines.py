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
    """The probability of the piece with most voxels within `reach` of the middle; zeros if there is none.

    Cut at a half; fainter nodules at a third and a fifth.
    """
    middle = np.array(probability.shape) // 2
    for threshold in (0.5, 0.33, 0.2):
        labels, count = ndimage.label(probability >= threshold)
        if not count:
            continue
        at = np.argwhere(labels > 0)
        near = at[np.linalg.norm(at - middle, axis=1) <= reach]
        if len(near):
            sizes = np.bincount(labels[tuple(near.T)])
            piece = without_gaps(labels == int(np.argmax(sizes)))
            around = ndimage.binary_dilation(piece, iterations=2) & ((labels == 0) | piece)
            scaled = np.clip(probability * (0.5 / threshold), 0, 1)
            scaled = np.where(piece, np.maximum(scaled, 0.5), scaled)
            return np.asarray(np.where(around, scaled, 0), np.float32)
    return np.zeros(probability.shape, np.float32)


def without_gaps(piece: Mask) -> Mask:
    """A nodule is one body: notches narrower than 4 voxels are closed, and holes within a slice filled."""
    room = np.pad(piece, 3)
    ball = np.linalg.norm(np.indices((5, 5, 5)) - 2, axis=0) <= 2.3
    closed = ndimage.binary_closing(room, ball)
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in closed])
    return np.asarray(filled[3:-3, 3:-3, 3:-3], bool)


def grown(cube: FloatArray, radius: float) -> FloatArray:
    """Where the network draws nothing of the expected size: half way between the middle and the lung.

    The piece at the middle of a ball of 1.3 times the expected radius (voxels), above the mean of the HU of
    the middle and the lower quartile of the surroundings.
    """
    axes = np.indices(cube.shape) - SIZE // 2
    distance = np.sqrt((axes**2).sum(axis=0))
    middle = float(np.percentile(cube[distance <= max(radius / 2, 1.0)], 75))
    around = float(np.percentile(cube[(distance > radius) & (distance <= radius + 6)], 25))
    inside = (cube > (min(middle, 100) + around) / 2) & (distance <= 1.3 * radius)
    opened = ndimage.binary_opening(inside) if radius > 3 else inside
    piece = one_piece((opened if opened.any() else inside).astype(np.float32), radius)
    return np.asarray(np.where(piece >= 0.5, 1, 0.4 * ndimage.maximum_filter(piece, 3)), np.float32)


def too_small(piece: FloatArray, radius: float) -> bool:
    """Less than a tenth of the volume that the candidate's diameter makes expect."""
    return float((piece >= 0.5).sum()) < 0.1 * 4 / 3 * np.pi * radius**3


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
) -> tuple[list[FloatArray], FloatArray]:
    """HU cubes, and (n, z, y, x) probability per voxel, mean of the cube and its left-right mirror."""
    cubes = [patch_at(hu, spacing_mm, p, SIZE, s) for p, s in zip(places, steps, strict=True)]
    inputs = np.stack([outline_input(c) for c in cubes])
    mirrored = np.ascontiguousarray(inputs[:, :, :, ::-1])
    logits = (network(inputs)[..., 0] + network(mirrored)[:, :, :, ::-1, 0]) / 2
    return cubes, np.asarray(1 / (1 + np.exp(-logits)), np.float32)


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


def _drawn(judged: Judged, cube: FloatArray, probability: FloatArray, step: float) -> FloatArray:
    """The piece that the network sees; half-maximum, then a ball, where it sees far too little."""
    diameter = judged.candidate.diameter_mm
    radius = max(diameter / 2, 1.5) / step
    piece = one_piece(probability, max(3.0, 0.4 * diameter) / step)
    if too_small(piece, radius):
        piece = grown(cube, radius)
    return ball(radius) if too_small(piece, radius) else piece


def outline_all(
    hu: NDArray[np.int16], spacing_mm: Triple, judged: Sequence[Judged], network: Network
) -> list[Outlined]:
    """An outline for each; those that leave the fine cube are drawn again on the coarse one."""
    coarse = [j.candidate.diameter_mm >= COARSE_FROM_MM for j in judged]
    found = _outlined(hu, spacing_mm, judged, coarse, network)
    again = [i for i, o in enumerate(found) if o.step_mm == OUTLINE_STEP_MM and _cut_off(o.probability)]
    redrawn = _outlined(hu, spacing_mm, [judged[i] for i in again], [True] * len(again), network)
    for i, outlined in zip(again, redrawn, strict=True):
        found[i] = outlined
    return without_doubles(found)


def _outlined(
    hu: NDArray[np.int16],
    spacing_mm: Triple,
    judged: Sequence[Judged],
    coarse: Sequence[bool],
    network: Network,
) -> list[Outlined]:
    """Outlines on the coarse or the fine cube, one each, on the voxels of the volume."""
    if not judged:
        return []
    steps = [OUTLINE_COARSE_STEP_MM if c else OUTLINE_STEP_MM for c in coarse]
    cubes, maps = probabilities(hu, spacing_mm, [j.candidate.zyx_mm for j in judged], steps, network)
    found = []
    for one, cube, probability, step in zip(judged, cubes, maps, steps, strict=True):
        piece = _drawn(one, cube, probability, step)
        z, y, x = (v - SIZE // 2 * step for v in one.candidate.zyx_mm)
        shape = (hu.shape[0], hu.shape[1], hu.shape[2])
        start, mask = on_voxels(piece, (z, y, x), step, spacing_mm, shape)
        found.append(Outlined(one, start, mask, piece, (z, y, x), step))
    return found


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
