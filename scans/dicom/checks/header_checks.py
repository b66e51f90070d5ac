"""Checks that need only the headers. Codes, limits and sentences as in CLINICAL section 2."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

from scans.dicom.checks.acquisition import Acquisition, summarise
from scans.dicom.checks.check import Check, check
from scans.dicom.checks.kernels import Sharpness
from scans.dicom.headers import Header

PLAIN_PICTURE = "PLAIN_PICTURE"
PICTURE_SENTENCE = (
    "A plain picture has no Hounsfield units and no spacing, and is not read. To have a picture of one slice "
    "looked at, send it under Single image (/image/)."
)
TOLERANCE_MM = 1e-6
CHEST = re.compile(r"CHEST|THORA|LUNG|^(CAP|TAP)$", re.IGNORECASE)
AXIAL_COSINE = 0.94
SCREENING_DOSE_MGY = 3.0
NO_FRAMES = "Multi-frame CT that does not describe its frames is not read. Send the series as single slices."

Found = Iterator[Check]


def check_header_set(headers: Sequence[Header], *, screening: bool = False) -> tuple[Check, ...]:
    """All checks of one series that can be decided from its headers."""
    return check_acquisition(summarise(headers), screening=screening)


def check_acquisition(acquisition: Acquisition, *, screening: bool = False) -> tuple[Check, ...]:
    """The same from the summary. `screening` adds the dose limit of screening examinations."""
    if any(PLAIN_PICTURE in image_type for image_type in acquisition.image_types):
        return (check("E_PICTURE", PICTURE_SENTENCE),)
    rules: tuple[Callable[[Acquisition], Found], ...] = (
        _modality,
        _image_type,
        _orientation,
        _body_part,
        _compression,
        _rescale,
        _thickness,
        _volumetry,
        _spacing,
        _extent,
        _kernel_and_contrast,
        _age,
    )
    found = [one for rule in rules for one in rule(acquisition)]
    return (*found, *(_dose(acquisition) if screening else ()))


def _modality(a: Acquisition) -> Found:
    if a.modalities != {"CT"}:
        yield check("E_MODALITY", "Not a CT series; not analysed.", "/".join(sorted(a.modalities)), "CT")
    if a.is_multiframe:
        yield check("E_MULTIFRAME", NO_FRAMES)


def _image_type(a: Acquisition) -> Found:
    kinds = {_kind_of_image(image_type, a.has_geometry) for image_type in a.image_types}
    shown = ", ".join(sorted("\\".join(image_type) for image_type in a.image_types))
    if "other" in kinds:
        sentence = "Localizer or secondary capture; please select the original axial series."
        yield check("E_IMAGETYPE", sentence, shown, "ORIGINAL\\PRIMARY")
    elif "derived" in kinds:
        yield check("W_DERIVED", "Reconstructed by post-processing; measurements may differ.", shown)
    elif "unstated" in kinds:
        yield check("W_DERIVED", "The image type is not stated; measurements may differ.", shown)


def _kind_of_image(image_type: tuple[str, ...], has_geometry: bool) -> str:
    """original, derived (a usable axial reconstruction), unstated, or other."""
    values = [value.upper() for value in image_type]
    if not any(values):
        return "unstated"
    if "LOCALIZER" in values or values[1:2] == ["SECONDARY"]:
        return "other"
    if values[0] == "ORIGINAL":
        return "original"
    derived = values[:2] == ["DERIVED", "PRIMARY"] and "AXIAL" in values and has_geometry
    return "derived" if derived else "other"


def _orientation(a: Acquisition) -> Found:
    if not a.has_geometry or a.tilt_degrees is None:
        yield check("E_GEOM", "Position information missing.")
        return
    tilt = max(a.tilt_degrees, abs(a.gantry_tilt_degrees or 0.0))
    if math.cos(math.radians(a.tilt_degrees)) < AXIAL_COSINE:
        yield check("E_NOTAXIAL", "Series is not axial.", round(a.tilt_degrees, 1), 20.0)
    elif tilt > 1:
        sentence = "Tilted acquisition; volume geometry was corrected / may be distorted."
        yield check("W_TILT", sentence, round(tilt, 1), 1.0)
    if a.mixed:
        yield check("E_MIXED", "Series mixes different geometries.", ", ".join(a.mixed))


def _body_part(a: Acquisition) -> Found:
    if a.body_part and not CHEST.search(a.body_part):
        yield check("W_BODYPART", f"Body part is labelled '{a.body_part}'.", a.body_part, "CHEST")


def _compression(a: Acquisition) -> Found:
    if a.lossy:
        yield check("E_COMPRESS", "Lossy compressed images are not analysed.", "01", "00")


def _rescale(a: Acquisition) -> Found:
    if not a.has_rescale:
        yield check("E_RESCALE", "Cannot convert to Hounsfield units.")


def _thickness(a: Acquisition) -> Found:
    thickness = a.thickness_mm
    if thickness is None:
        return
    if _above(thickness, 5.0):
        sentence = f"Slices of {thickness:.1f} mm are too thick for nodule analysis."
        yield check("E_THICK", sentence, thickness, 5.0)
    elif _above(thickness, 2.5):
        sentence = "Slices thicker than 2.5 mm: small nodules can be missed, volumes are not reported."
        yield check("W_THICK", sentence, thickness, 2.5)
    elif _above(thickness, 1.0) and not _above(thickness, 1.25):
        yield check("I_THIN", "1.0 mm or thinner is preferred.", thickness, 1.0)


def _volumetry(a: Acquisition) -> Found:
    thickness, increment = a.thickness_mm, a.increment_mm
    if thickness is None or increment is None:
        return
    overlapping = _above(thickness, increment)
    limit = 1.5 if overlapping else 1.25
    if _above(thickness, limit) or _above(increment, thickness):
        sentence = "Volumes and doubling times are switched off; diameters only."
        yield check("W_NOVOL", sentence, max(thickness, increment), limit)
    if _above(increment, 1.05 * thickness):
        yield check("W_GAP", "Gap between slices.", round(increment, 3), round(1.05 * thickness, 3))


def _spacing(a: Acquisition) -> Found:
    increment = a.increment_mm
    if increment is not None:
        wide = [step for step in a.steps_mm if step > 1.5 * increment]
        uneven = [step for step in a.steps_mm if abs(step - increment) > 0.1 * increment]
        if wide or len(uneven) > 0.02 * len(a.steps_mm):
            absent = sum(max(1, round(step / increment) - 1) for step in wide)
            absent += sum(step not in wide for step in uneven)
            noun = "slice is" if absent == 1 else "slices are"
            yield check("E_MISSING", f"{absent} {noun} missing or unevenly spaced.", absent, 0)
    if a.pixel_mm is not None and _above(a.pixel_mm, 1.0):
        yield check("W_PIXEL", "Coarse pixels.", a.pixel_mm, 1.0)


def _extent(a: Acquisition) -> Found:
    if a.slices < 50:
        yield check("E_FEW", "Only part of the chest was scanned.", a.slices, 50)
    elif a.has_geometry and a.coverage_mm < 150:
        yield check("E_FEW", "Only part of the chest was scanned.", round(a.coverage_mm, 1), 150.0)


def _kernel_and_contrast(a: Acquisition) -> Found:
    if a.sharpness is Sharpness.SHARP:
        yield check("W_KERNEL", "Sharp kernel: volume and density are less reliable.", a.kernel)
    if a.contrast:
        sentence = "Contrast enhanced: density and calcium statements limited; not a screening LDCT."
        yield check("W_CONTRAST", sentence, a.contrast_agent)


def _age(a: Acquisition) -> Found:
    if a.age_years is None:
        yield check("W_NOAGE", "Age unknown: risk models not computed.")
    elif a.age_years < 18:
        yield check("E_AGE", "Not intended for patients under 18.", a.age_years, 18)
    elif a.age_years < 35:
        yield check("W_AGE", "Fleischner rules do not apply under 35 years.", a.age_years, 35)


def _dose(a: Acquisition) -> Found:
    if a.ctdi_vol_mgy is not None and a.ctdi_vol_mgy > SCREENING_DOSE_MGY:
        sentence = "Dose above the screening level for a standard-size patient."
        yield check("W_DOSE", sentence, a.ctdi_vol_mgy, SCREENING_DOSE_MGY)


def check_pair(prior: Acquisition, current: Acquisition) -> tuple[Check, ...]:
    """W_DIFFACQ if two studies of one patient were acquired too differently to measure growth."""
    differing = [name for name, differs in _differences(prior, current).items() if differs]
    if not differing:
        return ()
    sentence = "Different technique between studies: growth below 25 % is not interpretable."
    return (check("W_DIFFACQ", sentence, ", ".join(differing)),)


def _differences(prior: Acquisition, current: Acquisition) -> dict[str, bool]:
    return {
        "slice thickness": _above(abs((prior.thickness_mm or 0) - (current.thickness_mm or 0)), 0.5),
        "kernel": prior.sharpness is not current.sharpness,
        "contrast": prior.contrast != current.contrast,
        "manufacturer": prior.manufacturer.upper() != current.manufacturer.upper(),
        "software": prior.software != current.software,
    }


def _above(value: float, limit: float) -> bool:
    """`value > limit`, forgiving the rounding of decimal numbers in headers."""
    return value > limit + TOLERANCE_MM
