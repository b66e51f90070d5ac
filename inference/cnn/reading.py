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
Third = Literal["upper", "middle", "lower"]
Pleura = Literal["attached", "near", "away"]
Calcium = Literal["none", "diffuse", "central", "laminated", "popcorn", "eccentric"]
Spiculation = Literal["none", "some", "marked"]
Margin = Literal["sharp", "fair", "poor"]


@dataclass(frozen=True)
class SolidPart:
    """The largest solid part of a part-solid nodule in mm, never larger than the nodule (CLINICAL 1.4)."""

    long_axis_mm: float
    short_axis_mm: float
    mean_diameter_mm: float


@dataclass(frozen=True)
class Character:
    """What a nodule is like beside its size. None everywhere means: no statement.

    Attributes
    ----------
    solid : size of the solid part; of part-solid nodules only.
    calcification, calcified_share : pattern, and share of the outline above 200 HU (CLINICAL 1.9).
    fat : macroscopic fat inside; no statement on slices thicker than 2.5 mm.
    spiculation, margin : in words, from a network's rating on the scales of LIDC (CLINICAL 1.10).
    third : of the height of that lung, not a lobe; no statement where the scan cuts the lung.
    pleura, pleura_mm : distance of the outline to the outer border of its lung.
    traits : the network's ratings, 1 to 5.
    """

    solid: SolidPart | None = None
    calcification: Calcium | None = None
    calcified_share: float | None = None
    fat: bool | None = None
    spiculation: Spiculation | None = None
    margin: Margin | None = None
    third: Third | None = None
    pleura: Pleura | None = None
    pleura_mm: float | None = None
    traits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Doubt:
    """How far something can be trusted, and why not further: one sentence per reason."""

    confidence: Confidence
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unfamiliar:
    """One way in which a scan is unlike those of the training, with the value and the range seen there."""

    code: str
    sentence: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SensitivityMap:
    """Where a small change of the voxels changes the malignancy rating most: sensitivity, not location.

    `values` is uint8 (z, y, x), 255 at the strongest voxel; `start` its first voxel in the volume.
    """

    start: tuple[int, int, int]
    values: NDArray[np.uint8]


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
    doubt : how far this finding can be trusted; None in readings made before it was asked.
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
    character: Character = field(default_factory=Character)
    doubt: Doubt | None = None
    sensitivity: SensitivityMap | None = None


@dataclass(frozen=True)
class VolumeReading:
    """Findings of one volume, most probable first, with what made them.

    `timings_s` is seconds per stage; `networks` maps each task to the sha256 of its weights; `doubts` says
    why the confidence is not higher; `unfamiliar` in what the scan lies outside the training data.
    """

    findings: tuple[FoundNodule, ...]
    scan_probability: float
    confidence: Confidence
    lung_ml: float
    timings_s: Mapping[str, float] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    unfamiliar: tuple[Unfamiliar, ...] = ()
