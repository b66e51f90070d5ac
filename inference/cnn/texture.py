"""Solid, part-solid or non-solid, by the Hounsfield units inside an outline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.reading import NoduleType
from scans.dicom.geometry import Triple

SOLID_HU = -350
NON_SOLID_BELOW = 0.15
SOLID_ABOVE = 0.50


def solid_share(hu: NDArray[np.int16], mask: NDArray[np.bool_], spacing_mm: Triple) -> float:
    """Share of the inner voxels above SOLID_HU.

    The outermost millimetre mixes with air (partial volume) and is left out unless nothing would remain.
    """
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    core = depth > min(1.0 + min(spacing_mm), 0.55 * float(depth.max()))
    inside = hu[core & mask] if (core & mask).any() else hu[mask]
    return float((inside > SOLID_HU).mean())


def nodule_type(share: float) -> NoduleType:
    """Type by the share of solid tissue; thresholds by judgement (checked in docs/models)."""
    if share < NON_SOLID_BELOW:
        return "non_solid"
    return "solid" if share >= SOLID_ABOVE else "part_solid"
