"""Checks that need the voxels. Codes, limits and sentences as in CLINICAL section 2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scans.dicom.checks.check import Check, check
from scans.dicom.geometry import Geometry
from scans.dicom.pixels import AIR_HU
from scans.dicom.volume import BuiltVolume

SMALLEST_LUNG_ML = 300.0
AIR_RANGE_HU = (-1100.0, -900.0)
TOUCHING_MM2 = 100.0
FOV_SHARE = 0.01

Mask = NDArray[np.bool_]


class Lungs(Protocol):
    """What `find_lungs` returns, as far as the checks look at it: bool (z, y, x)."""

    @property
    def mask(self) -> Mask: ...


def check_volume(volume: BuiltVolume, lungs: Lungs) -> tuple[Check, ...]:
    """All checks of one series that need its voxels or its lungs."""
    found = [*_copies(volume), *_lungs_present(volume, lungs.mask), *_intensity(volume.hu)]
    if lungs.mask.any():
        found += [*_coverage(volume.geometry, lungs.mask), *_field_of_view(volume.hu, lungs.mask)]
    return tuple(found)


def _copies(volume: BuiltVolume) -> Iterator[Check]:
    if volume.conflicts:
        yield check("E_MIXED", "Series mixes several reconstructions.", volume.conflicts, 0)
    if volume.duplicates:
        yield check("W_DUP", "Duplicate slices removed.", volume.duplicates, 0)


def _lungs_present(volume: BuiltVolume, mask: Mask) -> Iterator[Check]:
    smaller = min(_side_volumes_ml(volume, mask))
    if smaller < SMALLEST_LUNG_ML:
        yield check("E_BODYPART", "No lungs found in this series.", round(smaller), SMALLEST_LUNG_ML)


def _side_volumes_ml(volume: BuiltVolume, mask: Mask) -> tuple[float, float]:
    """Air on either side of the middle of the body: lungs that touch in the picture still count as two."""
    tissue = (volume.hu[:: max(1, len(mask) // 16)] > -200).any(axis=0).sum(axis=0)
    middle = int(np.average(np.arange(tissue.size), weights=tissue)) if tissue.any() else tissue.size // 2
    per_column = mask.sum(axis=(0, 1)) * volume.geometry.voxel_mm3 / 1000
    return float(per_column[:middle].sum()), float(per_column[middle:].sum())


def _intensity(hu: NDArray[np.int16]) -> Iterator[Check]:
    air = _air_outside(hu)
    if not AIR_RANGE_HU[0] <= air <= AIR_RANGE_HU[1]:
        yield check("W_HU", "Intensity scale unusual.", round(air), "-1100..-900")


def _air_outside(hu: NDArray[np.int16]) -> float:
    """HU of the air around the patient: the lower values along the edge of the picture, padding left out.

    Where the patient fills the picture, the lowest percentile of the whole volume (air in the airways).
    """
    sample = hu[:: max(1, len(hu) // 24)]
    depth = max(1, min(hu.shape[1:]) // 12)
    edge = np.zeros(hu.shape[1:], bool)
    edge[:depth] = edge[:, :depth] = edge[:, -depth:] = True
    seen = ~_padding(sample)
    around = sample[:, edge & seen]
    around = around[around < -500]
    if around.size > 500:
        return float(np.median(around))
    inside = sample[:, seen]
    return float(np.percentile(inside, 1)) if inside.size else float(AIR_HU)


def _padding(hu: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Pixels (y, x) that hold the padding value on every slice: outside the circle of reconstruction."""
    return np.asarray((hu == AIR_HU).all(axis=0))


def _coverage(geometry: Geometry, mask: Mask) -> Iterator[Check]:
    pixel_mm2 = geometry.spacing_mm[1] * geometry.spacing_mm[2]
    cut = max(float(mask[end].sum()) * pixel_mm2 for end in (0, -1))
    if cut > TOUCHING_MM2:
        sentence = "Lungs not completely covered; result applies to the visible part."
        yield check("W_COVER", sentence, round(cut), TOUCHING_MM2)


def _field_of_view(hu: NDArray[np.int16], mask: Mask) -> Iterator[Check]:
    outside = np.ones(tuple(side + 2 for side in hu.shape[1:]), bool)
    outside[1:-1, 1:-1] = _padding(hu)
    beside = outside[:-2, 1:-1] | outside[2:, 1:-1] | outside[1:-1, :-2] | outside[1:-1, 2:]
    slices = mask.any(axis=(1, 2))
    share = float((mask & beside).any(axis=(1, 2)).sum() / slices.sum())
    if share > FOV_SHARE:
        yield check("W_FOV", "Field of view cuts the lungs.", round(share, 3), FOV_SHARE)
