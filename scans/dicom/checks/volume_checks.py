"""Checks that need the voxels. Codes, limits and sentences as in CLINICAL section 2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scans.dicom.checks.check import Check, check
from scans.dicom.pixels import AIR_HU
from scans.dicom.volume import BuiltVolume

SMALLEST_LUNG_ML = 300.0
AIR_RANGE_HU = (-1100.0, -900.0)
FOV_SHARE = 0.01


class Lungs(Protocol):
    """What the checks look at of a `LungMask`."""

    @property
    def right_ml(self) -> float: ...

    @property
    def left_ml(self) -> float: ...

    @property
    def touches_first_or_last_slice(self) -> bool: ...

    @property
    def touches_in_plane_border(self) -> float: ...


def check_volume(volume: BuiltVolume, lungs: Lungs) -> tuple[Check, ...]:
    """All checks of one series that need its voxels or its lungs."""
    return (*_copies(volume), *_shear(volume), *_lungs(lungs), *_intensity(volume.hu))


def _copies(volume: BuiltVolume) -> Iterator[Check]:
    if volume.conflicts:
        yield check("E_MIXED", "Series mixes several reconstructions.", volume.conflicts, 0)
    if volume.duplicates:
        yield check("W_DUP", "Duplicate slices removed.", volume.duplicates, 0)


def _shear(volume: BuiltVolume) -> Iterator[Check]:
    if volume.unsheared_degrees:
        sentence = "Slices of a tilted gantry were moved onto a straight grid; in-plane detail is softer."
        yield check("W_SHEAR", sentence, volume.unsheared_degrees, 0.0)


def _lungs(lungs: Lungs) -> Iterator[Check]:
    smaller = min(lungs.right_ml, lungs.left_ml)
    if smaller < SMALLEST_LUNG_ML:
        yield check("E_BODYPART", "No lungs found in this series.", round(smaller), SMALLEST_LUNG_ML)
        return
    if lungs.touches_first_or_last_slice:
        yield check("W_COVER", "Lungs not completely covered; result applies to the visible part.")
    if lungs.touches_in_plane_border > FOV_SHARE:
        share = round(lungs.touches_in_plane_border, 3)
        yield check("W_FOV", "Field of view cuts the lungs.", share, FOV_SHARE)


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
    seen = ~(sample == AIR_HU).all(axis=0)
    around = sample[:, edge & seen]
    around = around[around < -500]
    if around.size > 500:
        return float(np.median(around))
    inside = sample[:, seen]
    return float(np.percentile(inside, 1)) if inside.size else float(AIR_HU)
