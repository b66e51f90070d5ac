"""Nodules pixel by pixel, on the scan's own slices: for stacks of few slices, and to find the middle of one.

The network has the architecture of the outline network and its input, but is told no place: it marks whatever
is a nodule. A stack too thin for the networks of whole lungs is searched with it alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.candidates import Candidate, distinct
from inference.cnn.networks import Network
from inference.cnn.preprocessing import OUTLINE_SLICES, OUTLINE_WINDOW, outline_input
from inference.cnn.reduction import Judged
from scans.dicom.geometry import Triple

# Whole lungs are two to three times as high; the networks in three dimensions see 40 mm around a place.
THIN_MM = 60.0
WINDOW, STRIDE_PX = OUTLINE_WINDOW, 40
HALF = OUTLINE_SLICES // 2
# Quarter turns, and the same mirrored: all of them for windows, two where the slices are large.
TURNS, FEW_TURNS, SMALL_PX = tuple(range(8)), (0, 4), 160
ACROSS_PX, ALONG_MM, APART_MM = 1.2, 1.0, 4.0
LEAST, MOST = 0.02, 60
BESIDE_LUNG_MM = 6.0

FloatArray = NDArray[np.float32]

_FROM_RIM = np.minimum(np.arange(WINDOW) + 1, np.arange(WINDOW)[::-1] + 1).astype(np.float32)
# Weight of a pixel by its distance from the window's rim.
RIM: FloatArray = np.minimum(_FROM_RIM[:, None], _FROM_RIM[None, :])


def is_thin(slices: int, spacing_mm: Triple) -> bool:
    """Whether a stack is too low for the networks of whole lungs."""
    return slices * spacing_mm[0] < THIN_MM


def turned(images: FloatArray, turn: int) -> FloatArray:
    """(n, y, x, ...) after quarter turns; from 4 on mirrored first."""
    flipped = images[:, :, ::-1] if turn & 4 else images
    return np.ascontiguousarray(np.rot90(flipped, turn & 3, (1, 2)))


def turned_back(images: FloatArray, turn: int) -> FloatArray:
    """The inverse of `turned`."""
    straight = np.rot90(images, -(turn & 3), (1, 2))
    return np.ascontiguousarray(straight[:, :, ::-1] if turn & 4 else straight)


def stack_input(hu: NDArray[np.generic], spacing_mm: Triple) -> FloatArray:
    """(z, y, x, channels) for every slice of a stack, mirrored at its ends; no place is told."""
    n = hu.shape[0]
    rows = np.abs(np.arange(n)[:, None] + np.arange(-HALF, HALF + 1))
    rows = np.clip(np.where(rows > n - 1, 2 * (n - 1) - rows, rows), 0, n - 1)
    spacing = np.tile(np.array([spacing_mm[:2]], np.float32), (n, 1))
    return outline_input(hu[rows].astype(np.float32), spacing, np.zeros(n, np.float32))


def nodule_map(
    hu: NDArray[np.generic], spacing_mm: Triple, network: Network, turns: Sequence[int]
) -> FloatArray:
    """Probability (z, y, x) that a pixel belongs to a nodule: logistic of the mean logit over `turns`.

    Slices larger than the network's window are seen in windows that overlap; what lies at a window's rim
    counts less.
    """
    y, x = hu.shape[1:]
    short = [(0, 0), (0, max(WINDOW - y, 0)), (0, max(WINDOW - x, 0))]
    room = np.pad(hu, short, "reflect" if 2 * min(y, x) > WINDOW else "edge")
    total, weight = np.zeros(room.shape, np.float32), np.zeros(room.shape[1:], np.float32)
    for row in _starts(room.shape[1]):
        for column in _starts(room.shape[2]):
            part = (slice(row, row + WINDOW), slice(column, column + WINDOW))
            total[:, *part] += RIM * _logits(room[:, *part], spacing_mm, network, turns)
            weight[part] += RIM
    mean = (total / weight)[:, :y, :x]
    return np.asarray(1 / (1 + np.exp(-mean)), np.float32)


def _starts(length: int) -> list[int]:
    """First pixels of the windows along one axis; the last one ends with the slice."""
    return sorted({*range(0, length - WINDOW, STRIDE_PX), length - WINDOW})


def _logits(
    hu: NDArray[np.generic], spacing_mm: Triple, network: Network, turns: Sequence[int]
) -> FloatArray:
    given = stack_input(hu, spacing_mm)
    seen = [turned_back(network(turned(given, turn))[..., 0], turn) for turn in turns]
    return np.asarray(np.mean(seen, axis=0), np.float32)


def _smoothed(probability: FloatArray, spacing_mm: Triple) -> FloatArray:
    sigma = (ALONG_MM / spacing_mm[0], ACROSS_PX, ACROSS_PX)
    return np.asarray(ndimage.gaussian_filter(probability, sigma, mode="reflect"), np.float32)


def places(probability: FloatArray, spacing_mm: Triple, first: tuple[int, int, int]) -> list[Candidate]:
    """The local maxima of a nodule map whose voxel 0 is voxel `first` of the stack, best first, MOST at most.

    One for each piece; its diameter is that of a circle as large as the largest slice of the piece above
    half the maximum.
    """
    soft = _smoothed(probability, spacing_mm)
    size = [max(3, 2 * round(APART_MM / s) + 1) for s in spacing_mm]
    at = np.argwhere((soft == ndimage.maximum_filter(soft, size, mode="nearest")) & (soft >= LEAST))
    order = np.argsort(-soft[tuple(at.T)], kind="stable")[:MOST]
    found = []
    for voxel in at[order]:
        z, y, x = (float(v + f) * s for v, f, s in zip(voxel, first, spacing_mm, strict=True))
        found.append(Candidate((z, y, x), _diameter(soft, voxel, spacing_mm), float(soft[tuple(voxel)])))
    return distinct(found)


def _diameter(soft: FloatArray, voxel: NDArray[np.intp], spacing_mm: Triple) -> float:
    labels, _ = ndimage.label(soft >= soft[tuple(voxel)] / 2)
    areas = (labels == labels[tuple(voxel)]).sum(axis=(1, 2))
    return float(np.clip(2 * np.sqrt(areas.max() / np.pi) * np.sqrt(spacing_mm[1] * spacing_mm[2]), 3, 60))


def seek(
    hu: NDArray[np.int16], spacing_mm: Triple, lungs: NDArray[np.bool_], network: Network
) -> list[Judged]:
    """Nodules of a thin stack in or close beside the lungs, most probable first."""
    if not lungs.any():
        return []
    reach = max(1, round(BESIDE_LUNG_MM / spacing_mm[1]))
    near = ndimage.binary_dilation(lungs, np.ones((1, 3, 3), bool), iterations=reach)
    box = (slice(0, hu.shape[0]), _span(near, 1), _span(near, 2))
    shown, inside = hu[box], near[box]
    turns = TURNS if max(shown.shape[1:]) <= SMALL_PX else FEW_TURNS
    probability = np.where(inside, nodule_map(shown, spacing_mm, network, turns), 0).astype(np.float32)
    first = (0, box[1].start, box[2].start)
    return [Judged(c, c.score) for c in places(probability, spacing_mm, first)]


def _span(mask: NDArray[np.bool_], axis: int) -> slice:
    line = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
    return slice(int(line[0]), int(line[-1]) + 1)
