"""Calcium and fat inside an outline (CLINICAL 1.9)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.reading import Calcium
from scans.dicom.geometry import Triple

CALCIUM_HU = 200
CALCIFIED_SHARE = 0.10
SMALLEST_VOXELS = 3
DIFFUSE_SHARE = 0.60
CENTRAL_REACH = 0.35
POPCORN_PIECES, POPCORN_PIECE_MM3, POPCORN_SHARE = 3, 10.0, 0.20
LAMINATED_STEP = 0.30

FAT_HU = (-120, -40)
FAT_EDGE_MM = 2.5
FAT_MM3 = 30.0
FAT_VOXELS = 8
FAT_SLICE_MM = 2.5
FAT_OPEN_SHARE = 0.3

Mask = NDArray[np.bool_]
ANY_NEIGHBOUR = np.ones((3, 3, 3), bool)


def _depth(mask: Mask, spacing_mm: Triple) -> NDArray[np.float64]:
    """Distance of each voxel inside from the nearest one outside, within its slice, in mm."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    planes = [ndimage.distance_transform_edt(p, sampling=spacing_mm[1:]) for p in padded]
    return np.asarray(np.stack(planes)[:, 1:-1, 1:-1])


def _pieces(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """(labels, sizes): connected pieces of at least SMALLEST_VOXELS; single bright voxels are noise."""
    labels = np.asarray(ndimage.label(mask, ANY_NEIGHBOUR)[0], np.int32)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    labels[sizes[labels] < SMALLEST_VOXELS] = 0
    return labels, sizes[sizes >= SMALLEST_VOXELS]


def calcification(hu: NDArray[np.generic], mask: Mask, spacing_mm: Triple) -> tuple[Calcium, float]:
    """(pattern, share of the outline that is calcified).

    Below CALCIFIED_SHARE nothing is said to be calcified. What shows none of the benign patterns is
    "eccentric", which stands for all patterns that are not benign.
    """
    labels, sizes = _pieces(np.asarray(mask & (np.asarray(hu, np.float32) > CALCIUM_HU), bool))
    calcium = labels > 0
    share = float(calcium.sum()) / float(mask.sum())
    if share < CALCIFIED_SHARE:
        return "none", share
    depth = _depth(mask, spacing_mm)
    relative = depth / depth.max()
    thirds = [
        _share(calcium, mask & (relative > low) & (relative <= low + 1 / 3)) for low in (0, 1 / 3, 2 / 3)
    ]
    if _share(calcium, mask & (relative > 0.4)) >= DIFFUSE_SHARE:
        return "diffuse", share
    if thirds[0] - thirds[1] >= LAMINATED_STEP or min(thirds[0], thirds[2]) - thirds[1] >= LAMINATED_STEP:
        return "laminated", share
    if _aside(calcium, mask, spacing_mm) > CENTRAL_REACH:
        return "eccentric", share
    voxel_mm3 = math.prod(spacing_mm)
    chunks = int((sizes * voxel_mm3 >= POPCORN_PIECE_MM3).sum())
    if chunks >= POPCORN_PIECES and share >= POPCORN_SHARE:
        return "popcorn", share
    return ("central" if thirds[2] > thirds[0] else "eccentric"), share


def _share(calcium: Mask, part: Mask) -> float:
    return float(calcium[part].mean()) if part.any() else 0.0


def _aside(calcium: Mask, mask: Mask, spacing_mm: Triple) -> float:
    """Distance of the calcium's centre from that of the outline, in radii of a ball of its volume."""
    offset = (np.argwhere(calcium).mean(axis=0) - np.argwhere(mask).mean(axis=0)) * spacing_mm
    radius = (3 * float(mask.sum()) * math.prod(spacing_mm) / (4 * math.pi)) ** (1 / 3)
    return float(np.linalg.norm(offset)) / radius


def has_fat(hu: NDArray[np.generic], mask: Mask, spacing_mm: Triple) -> bool | None:
    """Macroscopic fat: a connected piece of -120..-40 HU away from the edge and not on the way to air.

    HU are smoothed with 1 mm within the outline. Where tissue fades into lung every value is passed through:
    such a piece borders on lower values, fat does not. None on slices thicker than FAT_SLICE_MM.
    """
    if spacing_mm[0] > FAT_SLICE_MM:
        return None
    sigma = (0.0, 1.0 / spacing_mm[1], 1.0 / spacing_mm[2])
    weight = ndimage.gaussian_filter(mask.astype(float), sigma)
    smooth = ndimage.gaussian_filter(np.where(mask, hu, 0).astype(float), sigma) / np.maximum(weight, 1e-6)
    fat = mask & (smooth >= FAT_HU[0]) & (smooth <= FAT_HU[1]) & (_depth(mask, spacing_mm) > FAT_EDGE_MM)
    labels, count = ndimage.label(fat)
    if not count:
        return False
    sizes = np.bincount(labels.ravel())[1:]
    if sizes.max() < FAT_VOXELS or sizes.max() * math.prod(spacing_mm) < FAT_MM3:
        return False
    piece = labels == int(np.argmax(sizes)) + 1
    border = ndimage.binary_dilation(piece, iterations=2) & ~piece
    return bool(((smooth[border] < FAT_HU[0]) | ~mask[border]).mean() <= FAT_OPEN_SHARE)
