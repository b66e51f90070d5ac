"""How a series was acquired, summed up from the headers of its images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from scans.dicom.checks.kernels import Sharpness, sharpness
from scans.dicom.headers import Header
from scans.dicom.pixels import is_hounsfield
from scans.dicom.volume import SAME_POSITION_MM

NO_CONTRAST = frozenset({"", "NONE", "NO", "N", "NEIN", "OHNE"})


@dataclass(frozen=True)
class Acquisition:
    """What the acquisition checks, the choice of series and the comparison of two studies look at.

    Attributes
    ----------
    modalities : all that occur, normally one.
    has_geometry : each image has position, spacing and orthonormal orientation.
    mixed : what is not constant over the series, in words.
    tilt_degrees : angle between slice normal and the body axis.
    steps_mm : distances of neighbouring slices along the normal, images at the same place counted once.
    thickness_mm : the thickest slice; the increment if no header says it.
    """

    modalities: frozenset[str]
    image_types: frozenset[tuple[str, ...]]
    has_geometry: bool
    has_rescale: bool
    is_multiframe: bool
    mixed: tuple[str, ...]
    tilt_degrees: float | None
    gantry_tilt_degrees: float | None
    steps_mm: tuple[float, ...]
    images: int
    thickness_mm: float | None
    pixel_mm: float | None
    body_part: str
    kernel: str
    sharpness: Sharpness
    contrast: bool
    contrast_agent: str
    lossy: bool
    age_years: int | None
    ctdi_vol_mgy: float | None
    manufacturer: str
    software: str

    @property
    def increment_mm(self) -> float | None:
        return median(self.steps_mm) if self.steps_mm else None

    @property
    def slices(self) -> int:
        """Number of different slice positions; of images if the positions are not known."""
        return len(self.steps_mm) + 1 if self.has_geometry else self.images

    @property
    def coverage_mm(self) -> float:
        return math.fsum(self.steps_mm)


def summarise(headers: Sequence[Header]) -> Acquisition:
    """Sum up the headers of one series, given in any order."""
    if not headers:
        raise ValueError("A series without images has no acquisition.")
    first = min(headers, key=lambda header: header.sop_instance_uid)
    steps = _steps(headers)
    thicknesses = [header.slice_thickness for header in headers if header.slice_thickness]
    return Acquisition(
        modalities=frozenset(header.modality for header in headers),
        image_types=frozenset(header.image_type for header in headers),
        has_geometry=all(_has_geometry(header) for header in headers),
        has_rescale=all(_has_rescale(header) for header in headers),
        is_multiframe=any(header.number_of_frames > 1 for header in headers),
        mixed=_mixed(headers),
        tilt_degrees=_tilt(first),
        gantry_tilt_degrees=first.gantry_tilt,
        steps_mm=steps,
        images=len(headers),
        thickness_mm=max(thicknesses, default=median(steps) if steps else None),
        pixel_mm=max((max(header.pixel_spacing) for header in headers if header.pixel_spacing), default=None),
        body_part=first.body_part,
        kernel=first.convolution_kernel,
        sharpness=sharpness(first.manufacturer, first.convolution_kernel),
        contrast=first.contrast_agent.upper() not in NO_CONTRAST,
        contrast_agent=first.contrast_agent,
        lossy=any(header.lossy for header in headers),
        age_years=min(
            (h.patient_age_years for h in headers if h.patient_age_years is not None), default=None
        ),
        ctdi_vol_mgy=max((header.ctdi_vol for header in headers if header.ctdi_vol), default=None),
        manufacturer=first.manufacturer,
        software=first.software_versions,
    )


def _has_geometry(header: Header) -> bool:
    return header.position_along_normal is not None and header.pixel_spacing is not None


def _has_rescale(header: Header) -> bool:
    slope = header.rescale_slope
    known = slope is not None and slope > 0 and header.rescale_intercept is not None
    return known and is_hounsfield(header.rescale_type, header.sop_class_uid)


def _tilt(header: Header) -> float | None:
    """Angle in degrees between the slice normal and the long axis of the body."""
    if header.normal is None:
        return None
    return math.degrees(math.acos(min(1.0, abs(header.normal[2]))))


def _steps(headers: Sequence[Header]) -> tuple[float, ...]:
    positions = [header.position_along_normal for header in headers]
    if any(position is None for position in positions):
        return ()
    steps = np.diff(np.sort(np.asarray(positions, float)))
    return tuple(steps[steps > SAME_POSITION_MM].tolist())


def _mixed(headers: Sequence[Header]) -> tuple[str, ...]:
    """What differs between the images although it must not (E_MIXED)."""
    differs = {
        "matrix": len({(header.rows, header.columns) for header in headers}) > 1,
        "pixel spacing": _varies([header.pixel_spacing for header in headers], 1e-4),
        "orientation": _varies([header.image_orientation for header in headers], 1e-3),
        "kernel": len({header.convolution_kernel for header in headers}) > 1,
        "frame of reference": len({header.frame_of_reference_uid for header in headers}) > 1,
    }
    return tuple(name for name, found in differs.items() if found)


def _varies(values: Sequence[Sequence[float] | None], tolerance: float) -> bool:
    """Whether numbers that should be equal differ by more than the rounding of their writer."""
    present = [value for value in values if value is not None]
    return bool(present) and bool((np.ptp(np.asarray(present, float), axis=0) > tolerance).any())
