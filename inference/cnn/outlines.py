"""The outline of each nodule: a 2.5D network on slabs of native slices, joined to one body.

The network sees five slices of the scan's own pixels at a time and outlines the middle one; a nodule too
large
for its window, or cut off by it, is drawn again on coarser pixels and slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.networks import Network
from inference.cnn.preprocessing import OUTLINE_SLICES, OUTLINE_WINDOW, outline_input, without_place
from inference.cnn.reduction import Judged
from inference.cnn.resampling import sample_grid
from scans.dicom.geometry import Triple

PIXEL_MM = 0.7
FINEST_PIXEL_MM, COARSEST_PIXEL_MM = 0.45, 1.0
FINEST_SLICE_MM, COARSEST_SLICE_MM = 0.9, 5.0
LARGE_FROM_MM = 24.0
LEAST_REACH_MM, MOST_SLICES = 9.0, 30
WIDER_LOOKS = 3
ISLAND = 0.4
SEEKER_SHARE = 0.75
# Taken off the logits: both networks draw a little too large. Chosen on the val split, as the share was.
TOO_LARGE = 0.3
# How exactly the place is known: a standard deviation, and how many of them a piece may lie off.
LEAST_SCALE_MM, REACH = 4.0, 2.5
HALF = OUTLINE_SLICES // 2

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float32]


class ByName(Protocol):
    """Loaded networks."""

    def __getitem__(self, name: str, /) -> Network: ...


@dataclass(frozen=True)
class Outlined:
    """A judged candidate with its outline on the volume's voxels, and the probability it came from.

    `probability` (z, y, x) has voxels of `spacing_mm`, and its voxel 0 lies at `first_mm` (z, y, x along
    the array
    axes); it is 0 outside the one piece that was taken.
    """

    judged: Judged
    start: tuple[int, int, int]
    mask: Mask
    probability: FloatArray
    first_mm: Triple
    spacing_mm: Triple


@dataclass(frozen=True)
class Grid:
    """Where the network looks: `slices` planes of OUTLINE_WINDOW squared pixels, first voxel and steps in
    mm."""

    first_mm: Triple
    spacing_mm: Triple
    slices: int
    off_mm: FloatArray

    @property
    def middle(self) -> NDArray[np.intp]:
        return np.array([self.slices // 2, OUTLINE_WINDOW // 2, OUTLINE_WINDOW // 2])


@dataclass(frozen=True)
class Look:
    """How the network looks at a place: pixels so many times wider, and how far above and below."""

    coarse: int
    reach_mm: float


def first_look(diameter_mm: float) -> Look:
    """For the size that the candidate network tells."""
    coarse = max(int(np.ceil(diameter_mm / LARGE_FROM_MM)), 1)
    return Look(coarse, max(0.75 * diameter_mm + 4, LEAST_REACH_MM))


def grid_around(spacing_mm: Triple, place: Triple, look: Look) -> Grid:
    """The scan's own pixels and slices about a place where they are of the size that the network knows.

    `look.coarse` times wider pixels; slices thinner than FINEST_SLICE_MM are taken every second, or third.
    """
    coarse = look.coarse
    native = abs(spacing_mm[1] - spacing_mm[2]) < 0.02 * spacing_mm[1]
    native &= FINEST_PIXEL_MM <= spacing_mm[1] <= COARSEST_PIXEL_MM
    pixel = (spacing_mm[1] if native else PIXEL_MM) * coarse
    stride = max(int(np.ceil(FINEST_SLICE_MM * coarse / spacing_mm[0] - 1e-6)), 1)
    step = spacing_mm[0] * stride
    if step > COARSEST_SLICE_MM and stride > 1:
        step = spacing_mm[0]
    half = int(min(np.ceil(look.reach_mm / step), MOST_SLICES))
    z = round(place[0] / spacing_mm[0]) * spacing_mm[0] - half * step
    corner = [p - OUTLINE_WINDOW // 2 * pixel for p in place[1:]]
    y, x = (round(c / s) * s if native else c for c, s in zip(corner, spacing_mm[1:], strict=True))
    off = np.asarray(z + np.arange(2 * half + 1) * step - place[0], np.float32)
    return Grid((z, y, x), (step, pixel, pixel), 2 * half + 1, off)


def slabs(hu: NDArray[np.int16], spacing_mm: Triple, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """HU of the grid with HALF slices more at both ends, and the network's input (slices, y, x, channels)."""
    first = (grid.first_mm[0] - HALF * grid.spacing_mm[0], grid.first_mm[1], grid.first_mm[2])
    shape = (grid.slices + 2 * HALF, OUTLINE_WINDOW, OUTLINE_WINDOW)
    block = sample_grid(hu, spacing_mm, first, shape, grid.spacing_mm)
    rows = np.arange(grid.slices)[:, None] + np.arange(OUTLINE_SLICES)
    spacing = np.tile(np.array([grid.spacing_mm[:2]], np.float32), (grid.slices, 1))
    return block[HALF : HALF + grid.slices], outline_input(block[rows], spacing, grid.off_mm)


def probabilities(
    hu: NDArray[np.int16], spacing_mm: Triple, grids: Sequence[Grid], networks: ByName
) -> list[tuple[FloatArray, FloatArray]]:
    """(HU, probability per voxel) on each grid: mean of the logits of the slab and its mirror image.

    The network that knows the place, and by SEEKER_SHARE the one that knows none and so parts nodules from
    vessels.
    """
    looked = [slabs(hu, spacing_mm, grid) for grid in grids]
    inputs = np.concatenate([x for _, x in looked])
    placed = _both_ways(inputs, networks["outline"])
    anywhere = _both_ways(without_place(inputs), networks["seeker"])
    logits = (1 - SEEKER_SHARE) * placed + SEEKER_SHARE * anywhere - TOO_LARGE
    values = np.split(1 / (1 + np.exp(-logits)), np.cumsum([g.slices for g in grids])[:-1])
    return [(block, np.asarray(v, np.float32)) for (block, _), v in zip(looked, values, strict=True)]


def _both_ways(inputs: FloatArray, network: Network) -> FloatArray:
    mirrored = network(np.ascontiguousarray(inputs[:, :, ::-1]))[:, :, ::-1]
    return np.asarray((network(inputs) + mirrored)[..., 0] / 2, np.float32)


def _distances(grid: Grid) -> FloatArray:
    """Millimetres from the middle of the grid."""
    axes = [
        ((np.arange(n) - m) * s) ** 2
        for n, m, s in zip(
            (grid.slices, OUTLINE_WINDOW, OUTLINE_WINDOW), grid.middle, grid.spacing_mm, strict=True
        )
    ]
    return np.asarray(
        np.sqrt(axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]), np.float32
    )


def one_piece(probability: FloatArray, distance: FloatArray, scale_mm: float) -> FloatArray:
    """The probability of the piece that outweighs the others; zeros if none comes within REACH of the middle.

    Voxels weigh their probability, less the farther from the middle (a Gaussian of `scale_mm`). Cut at a
    half;
    fainter nodules at a third and a fifth.
    """
    weight = probability * np.exp(-0.5 * (distance / scale_mm) ** 2)
    for threshold in (0.5, 0.33, 0.2):
        labels, count = ndimage.label(probability >= threshold)
        if not count or not (labels[distance <= REACH * scale_mm] > 0).any():
            continue
        weights = np.bincount(labels.ravel(), weights=weight.ravel())
        piece = without_gaps(without_islands(labels == 1 + int(np.argmax(weights[1:]))))
        around = ndimage.binary_dilation(piece, iterations=2) & ((labels == 0) | piece)
        scaled = np.clip(probability * (0.5 / threshold), 0, 1)
        scaled = np.where(piece, np.maximum(scaled, 0.5), scaled)
        return np.asarray(np.where(around, scaled, 0), np.float32)
    return np.zeros(probability.shape, np.float32)


def without_islands(piece: Mask) -> Mask:
    """Of each slice its largest part, and others of at least ISLAND of its size: the rest are vessels."""
    kept = np.zeros(piece.shape, bool)
    for z in np.flatnonzero(piece.any(axis=(1, 2))):
        labels, count = ndimage.label(piece[z])
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        sizes[0] = 0
        kept[z] = (sizes >= ISLAND * sizes.max())[labels] & piece[z]
    return kept


def without_gaps(piece: Mask) -> Mask:
    """A nodule is one body: in each slice notches narrower than 3 pixels are closed, and holes filled."""
    room = np.pad(piece, ((0, 0), (2, 2), (2, 2)))
    closed = ndimage.binary_closing(room, np.ones((1, 3, 3), bool))
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in closed])
    return np.asarray(filled[:, 2:-2, 2:-2], bool)


def grown(block: FloatArray, distance: FloatArray, radius_mm: float) -> FloatArray:
    """Where the network draws nothing of the expected size: half way between the middle and the lung.

    The piece at the middle of a ball of 1.3 times the expected radius, above the mean of the HU of the
    middle and
    the lower quartile of the surroundings.
    """
    middle = float(np.percentile(block[distance <= max(radius_mm / 2, distance.min() + 1.0)], 75))
    around = float(np.percentile(block[(distance > radius_mm) & (distance <= radius_mm + 6)], 25))
    inside = (block > (min(middle, 100) + around) / 2) & (distance <= 1.3 * radius_mm)
    opened = ndimage.binary_opening(inside, np.ones((1, 3, 3), bool)) if radius_mm > 3 else inside
    found = (opened if opened.any() else inside).astype(np.float32)
    return one_piece(found, distance, max(radius_mm, 1.0))


def ball(distance: FloatArray, radius_mm: float) -> FloatArray:
    """A ball in the middle: what is drawn where the network sees no edge."""
    return np.asarray(
        np.maximum(np.clip(radius_mm + 0.5 - distance, 0, 1), distance == distance.min()), np.float32
    )


def _drawn(judged: Judged, block: FloatArray, probability: FloatArray, grid: Grid) -> FloatArray:
    """The piece that the network sees; half-maximum, then a ball, where it sees far too little."""
    diameter = judged.candidate.diameter_mm
    radius, distance = max(diameter / 2, 1.5), _distances(grid)
    least = 0.1 * 4 / 3 * np.pi * radius**3 / float(np.prod(grid.spacing_mm))
    piece = one_piece(probability, distance, max(LEAST_SCALE_MM, 0.4 * diameter))
    if float((piece >= 0.5).sum()) < least:
        piece = grown(block, distance, radius)
    return ball(distance, radius) if float((piece >= 0.5).sum()) < max(least, 1) else piece


def on_voxels(
    probability: FloatArray,
    first_mm: Triple,
    step_mm: Triple,
    spacing_mm: Triple,
    shape: tuple[int, int, int],
) -> tuple[tuple[int, int, int], Mask]:
    """(start, mask) of the outline among the voxels of the volume; at least one voxel."""
    inside, steps = np.argwhere(probability >= 0.5), np.asarray(step_mm)
    low_mm = inside.min(axis=0) * steps + np.asarray(first_mm) - steps
    high_mm = inside.max(axis=0) * steps + np.asarray(first_mm) + steps
    low = np.clip(np.floor(low_mm / spacing_mm), 0, np.array(shape) - 1).astype(int)
    high = np.clip(np.ceil(high_mm / spacing_mm), low, np.array(shape) - 1).astype(int) + 1
    z, y, x = (float(v) for v in low * np.asarray(spacing_mm) - np.asarray(first_mm) + steps)
    size = (int(high[0] - low[0]), int(high[1] - low[1]), int(high[2] - low[2]))
    values = sample_grid(np.pad(probability, 1), step_mm, (z, y, x), size, spacing_mm, smooth=False)
    mask = values >= 0.5
    if not mask.any():
        mask[np.unravel_index(int(np.argmax(values)), mask.shape)] = True
    return _tight((int(low[0]), int(low[1]), int(low[2])), mask)


def _tight(start: tuple[int, int, int], mask: Mask) -> tuple[tuple[int, int, int], Mask]:
    at = np.argwhere(mask)
    low, high = at.min(axis=0), at.max(axis=0) + 1
    cut = mask[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    return (start[0] + int(low[0]), start[1] + int(low[1]), start[2] + int(low[2])), np.ascontiguousarray(cut)


def wider_look(found: Outlined, look: Look, hu: NDArray[np.int16], spacing_mm: Triple) -> Look | None:
    """A coarser look if the outline meets the window's border, a deeper one if it meets the first or last
    slice.

    None where it does not, or where the scan ends there.
    """
    inside = found.probability >= 0.5
    first = np.asarray(found.first_mm) / spacing_mm
    last = first + (np.array(inside.shape) - 1) * np.asarray(found.spacing_mm) / spacing_mm
    cut = [
        bool(np.take(inside, 0, axis=a).any() and first[a] > 0.5)
        or bool(np.take(inside, -1, axis=a).any() and last[a] < hu.shape[a] - 1.5)
        for a in range(3)
    ]
    if cut[1] or cut[2]:
        return Look(look.coarse + 1, look.reach_mm * 1.5)
    return Look(look.coarse, look.reach_mm * 2) if cut[0] else None


def outline_all(
    hu: NDArray[np.int16], spacing_mm: Triple, judged: Sequence[Judged], networks: ByName
) -> list[Outlined]:
    """An outline for each; those that leave their grid are drawn again on wider ones."""
    looks = [first_look(j.candidate.diameter_mm) for j in judged]
    found = _outlined(hu, spacing_mm, judged, looks, networks)
    for _ in range(WIDER_LOOKS):
        wider = {i: wider_look(o, looks[i], hu, spacing_mm) for i, o in enumerate(found)}
        again = {i: look for i, look in wider.items() if look is not None}
        redrawn = _outlined(hu, spacing_mm, [judged[i] for i in again], list(again.values()), networks)
        for (i, look), outlined in zip(again.items(), redrawn, strict=True):
            found[i], looks[i] = outlined, look
    return without_doubles(found)


def _outlined(
    hu: NDArray[np.int16],
    spacing_mm: Triple,
    judged: Sequence[Judged],
    looks: Sequence[Look],
    networks: ByName,
) -> list[Outlined]:
    """One outline each, on the voxels of the volume."""
    if not judged:
        return []
    grids = [grid_around(spacing_mm, j.candidate.zyx_mm, look) for j, look in zip(judged, looks, strict=True)]
    found = []
    for one, grid, (block, probability) in zip(
        judged, grids, probabilities(hu, spacing_mm, grids, networks), strict=True
    ):
        piece = _drawn(one, block, probability, grid)
        shape = (hu.shape[0], hu.shape[1], hu.shape[2])
        start, mask = on_voxels(piece, grid.first_mm, grid.spacing_mm, spacing_mm, shape)
        found.append(Outlined(one, start, mask, piece, grid.first_mm, grid.spacing_mm))
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
