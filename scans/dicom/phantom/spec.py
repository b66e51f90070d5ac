"""What a phantom should hold, and where its nodules came to lie."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scans.dicom.geometry import Geometry, Triple

NoduleType = Literal["solid", "part_solid", "non_solid"]
Margin = Literal["smooth", "lobulated", "spiculated"]
Place = Literal["RUL", "RML", "RLL", "LUL", "LLL"]


@dataclass(frozen=True)
class NoduleSpec:
    """A nodule to be placed: equivalent diameter in mm, density, lobe, surface.

    `pleural` sets it against the chest wall instead of into the lung. Where it comes to lie depends on the
    anatomy and on its place in the list, not on its size, so that a smaller copy is its prior.
    """

    diameter_mm: float
    type: NoduleType = "solid"
    place: Place = "RUL"
    margin: Margin = "smooth"
    pleural: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.diameter_mm <= 40:
            raise ValueError(f"A nodule of {self.diameter_mm} mm cannot be made; 2 to 40 mm can.")


@dataclass(frozen=True)
class PhantomSpec:
    """A scan to be made.

    Attributes
    ----------
    anatomy : seed of the patient; the same anatomy is the same patient.
    scan : seed of this scan: noise and the place on the table.
    noise_hu : standard deviation in the middle of the body.
    contrast : contrast medium in heart and vessels.
    """

    anatomy: int
    scan: int = 0
    nodules: tuple[NoduleSpec, ...] = ()
    slices: int = 224
    size: int = 512
    pixel_mm: float = 0.72
    increment_mm: float = 1.25
    noise_hu: float = 15.0
    contrast: bool = False

    def __post_init__(self) -> None:
        if self.slices < 8 or self.size < 64:
            raise ValueError("A phantom needs at least 8 slices of 64 x 64.")
        if not 0.3 <= self.pixel_mm <= 8 or not 0.3 <= self.increment_mm <= 10:
            raise ValueError("Pixels of 0.3 to 8 mm and increments of 0.3 to 10 mm can be made.")


@dataclass(frozen=True)
class Truth:
    """A nodule as it was made: centre in LPS mm, equivalent diameter in mm."""

    center_mm: Triple
    diameter_mm: float
    type: NoduleType
    place: Place
    margin: Margin

    def to_json(self) -> dict[str, Any]:
        return {
            "center_mm": [round(value, 2) for value in self.center_mm],
            "diameter_mm": self.diameter_mm,
            "type": self.type,
            "place": self.place,
            "margin": self.margin,
        }


@dataclass(frozen=True)
class Phantom:
    """A made scan: int16 HU (z, y, x), its placement, and the truth about its nodules."""

    spec: PhantomSpec
    hu: NDArray[np.int16]
    geometry: Geometry
    truth: tuple[Truth, ...]


@dataclass(frozen=True)
class PatientSpec:
    """An invented patient."""

    patient_id: str
    name: str
    birth_date: dt.date
    sex: Literal["F", "M"]


@dataclass(frozen=True)
class StudySpec:
    """One study of an invented patient with the phantom that it shows."""

    patient: PatientSpec
    study_date: dt.date
    accession_number: str
    phantom: PhantomSpec
    description: str = "CT chest low dose"
    study_time: dt.time = dt.time(9, 30)
