"""A nodule as results out of the house state it, and the codes for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydicom.sr.coding import Code

PRIVATE = "99LUNGPORTAL"
PRIVATE_NAME = "Terms of lungportal, explained in its documentation (docs/results.md)"

NODULE = Code("27925004", "SCT", "Nodule")
ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
LUNG = Code("39607008", "SCT", "Lung")
RIGHT, LEFT = Code("24028007", "SCT", "Right"), Code("7771000", "SCT", "Left")
LATERALITY = {"right": RIGHT, "left": LEFT}
CT_CHEST = Code("24627-2", "LN", "CT Chest")

LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
DIAMETER = Code("81827009", "SCT", "Diameter")
VOLUME = Code("118565006", "SCT", "Volume")
MEAN = Code("373098007", "SCT", "Mean")
MM, MM3, NO_UNIT = Code("mm", "UCUM", "mm"), Code("mm3", "UCUM", "mm3"), Code("1", "UCUM", "no units")

ATTENUATION = Code("attenuation", PRIVATE, "Attenuation type of nodule")
TYPES = {
    "solid": Code("solid", PRIVATE, "Solid"),
    "part_solid": Code("part_solid", PRIVATE, "Part-solid"),
    "non_solid": Code("non_solid", PRIVATE, "Non-solid"),
}
P_NODULE = Code("p_nodule", PRIVATE, "Probability that the mark is a nodule")
SUSPICION = Code("suspicion", PRIVATE, "Suspicion score, trained on ratings of radiologists")
SUSPICION_LOW = Code("suspicion_low", PRIVATE, "Lower end of the interval of the suspicion score")
SUSPICION_HIGH = Code("suspicion_high", PRIVATE, "Upper end of the interval of the suspicion score")
SCAN_PROBABILITY = Code("scan_probability", PRIVATE, "Suspicion score of the scan")
CENTRE = tuple(
    Code(f"centre_{axis}", PRIVATE, f"Centre of the nodule, {axis} of the patient (LPS)") for axis in "xyz"
)
DECISION = Code("decision", PRIVATE, "Decision of the reader")
DECISIONS = {
    "accepted": Code("accepted", PRIVATE, "Accepted as found by the networks"),
    "corrected": Code("corrected", PRIVATE, "Found by the networks, corrected by the reader"),
    "added": Code("added", PRIVATE, "Added by the reader"),
    "undecided": Code("undecided", PRIVATE, "Found by the networks, not yet decided"),
}


@dataclass(frozen=True)
class Outline:
    """Voxels of a nodule: bool (z, y, x), to be placed at `start` (z, y, x) of the volume."""

    mask: NDArray[np.bool_]
    start: tuple[int, int, int]


@dataclass(frozen=True)
class ReportedNodule:
    """One nodule as it is reported; lengths in mm, centre in LPS mm, absent figures None.

    `outline` is left out where a person corrected size or place: the networks' outline no longer holds.
    """

    number: int
    tracking_uid: str
    status: str
    type: str
    side: str
    location: str
    center_mm: tuple[float, float, float] | None = None
    slice_index: int | None = None
    long_axis_mm: float | None = None
    short_axis_mm: float | None = None
    mean_diameter_mm: float | None = None
    volume_mm3: float | None = None
    p_nodule: float | None = None
    malignancy: float | None = None
    malignancy_low: float | None = None
    malignancy_high: float | None = None
    outline: Outline | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        return f"Nodule {self.number}"


@dataclass(frozen=True)
class Software:
    """Which networks made the marks: version and hash of the pipeline, hash of each network."""

    pipeline_version: str
    pipeline_sha256: str
    code_version: str
    networks: Mapping[str, str]

    @property
    def parameters(self) -> dict[str, str]:
        """Every hash by name, for the algorithm identification (PS3.3 table 10-19, PS3.16 TID 4019)."""
        named = {f"network {name}": sha256 for name, sha256 in sorted(self.networks.items())}
        return {"pipeline sha256": self.pipeline_sha256, "code version": self.code_version, **named}
