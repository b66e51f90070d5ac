"""What a reading of one volume says: plain values, no Django."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

NoduleType = Literal["solid", "part_solid", "non_solid"]
Confidence = Literal["low", "medium", "high"]
Side = Literal["right", "left"]


@dataclass(frozen=True)
class FoundNodule:
    """One nodule that the networks found.

    Attributes
    ----------
    center_mm : (x, y, z) LPS centre of mass of the outline.
    slice_index : index along z of the slice with the largest outline.
    start : (z, y, x) first voxel of `mask` in the volume.
    mask : bool (z, y, x), the outline in voxels of the volume that was read.
    long_axis_mm, short_axis_mm, mean_diameter_mm : in the slice with the largest outline (CLINICAL 1.4).
    volume_mm3 : voxel count times voxel volume.
    p_nodule : 0..1, after false-positive reduction.
    malignancy : 0..1 with its interval; trained on radiologists' ratings, not on pathology.
    """

    center_mm: tuple[float, float, float]
    slice_index: int
    start: tuple[int, int, int]
    mask: NDArray[np.bool_]
    long_axis_mm: float
    short_axis_mm: float
    mean_diameter_mm: float
    volume_mm3: float
    type: NoduleType
    side: Side
    p_nodule: float
    malignancy: float
    malignancy_low: float
    malignancy_high: float


@dataclass(frozen=True)
class VolumeReading:
    """Findings of one volume, most probable first, with what made them.

    `timings_s` is seconds per stage; `networks` maps each task to the sha256 of its weights.
    """

    findings: tuple[FoundNodule, ...]
    scan_probability: float
    confidence: Confidence
    lung_ml: float
    timings_s: Mapping[str, float] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
