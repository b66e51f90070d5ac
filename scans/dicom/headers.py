"""What one DICOM instance says of itself, without its pixels."""

from __future__ import annotations

import datetime as dt
import io
import math
from dataclasses import dataclass, fields
from typing import Any, BinaryIO, Self

from pydicom import Dataset

from scans.dicom import attributes as a
from scans.dicom.acceptance import require_identity, require_pixels
from scans.dicom.geometry import Triple
from scans.dicom.json_model import dicom_json
from scans.dicom.part10 import Part10, open_part10
from scans.dicom.person_names import person_name
from scans.dicom.refusal import Refused, is_damage

Json = dict[str, Any]
ALWAYS_LOSSY = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in ("50", "51", "53", "55", "81"))
PERHAPS_LOSSY = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in ("91", "93", "203", "112"))


@dataclass(frozen=True)
class Header:
    """The attributes of one instance that the platform uses. Absent text is "", other absence None.

    Attributes
    ----------
    patient_name : up to three groups (alphabetic=ideographic=phonetic), decoded.
    patient_age_years : completed years on the study date.
    pixel_spacing : mm between rows, mm between columns.
    image_position : LPS mm of the centre of the first pixel.
    image_orientation : direction of increasing column index, then of increasing row index.
    lossy : the pixels went through lossy compression at some time.
    window : centre and width pairs.
    dicom_json : DICOM JSON model (PS3.18 annex F) without bulk data.
    frame : which frame of a multi-frame instance is described, from 0 (see `frames.frame_headers`).
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    patient_id: str
    issuer_of_patient_id: str
    patient_name: str
    patient_birth_date: dt.date | None
    patient_sex: str
    patient_age_years: int | None
    accession_number: str
    study_date: dt.date | None
    study_time: dt.time | None
    study_description: str
    study_id: str
    referring_physician_name: str
    institution_name: str
    modality: str
    series_number: int | None
    series_description: str
    acquisition_date: dt.date | None
    acquisition_number: int | None
    body_part: str
    manufacturer: str
    model_name: str
    software_versions: str
    image_type: tuple[str, ...]
    rows: int
    columns: int
    number_of_frames: int
    samples_per_pixel: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    pixel_spacing: tuple[float, float] | None
    slice_thickness: float | None
    spacing_between_slices: float | None
    image_position: Triple | None
    image_orientation: tuple[float, float, float, float, float, float] | None
    instance_number: int | None
    frame_of_reference_uid: str
    convolution_kernel: str
    contrast_agent: str
    kvp: float | None
    ctdi_vol: float | None
    gantry_tilt: float | None
    rescale_slope: float | None
    rescale_intercept: float | None
    rescale_type: str
    lossy: bool
    window: tuple[tuple[float, float], ...]
    burned_in_annotation: bool
    dicom_json: Json
    frame: int = 0

    @property
    def normal(self) -> Triple | None:
        """Unit normal of the slice, None if the orientation is missing or not orthonormal (CLINICAL 1.2)."""
        if self.image_orientation is None:
            return None
        ax, ay, az, bx, by, bz = self.image_orientation
        lengths = (math.hypot(ax, ay, az), math.hypot(bx, by, bz))
        if max(abs(length - 1) for length in lengths) > 1e-3 or abs(ax * bx + ay * by + az * bz) > 1e-3:
            return None
        return (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)

    @property
    def position_along_normal(self) -> float | None:
        """Distance of the slice along its normal in mm: the only right key for sorting."""
        if self.normal is None or self.image_position is None:
            return None
        return math.fsum(n * p for n, p in zip(self.normal, self.image_position, strict=True))

    def to_json(self) -> Json:
        """A plain dictionary for a JSON column; `from_json` is its inverse."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in named.items()
        }

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        known = {field.name: stored[field.name] for field in fields(cls) if field.name in stored}
        for key in ("patient_birth_date", "study_date", "acquisition_date"):
            known[key] = dt.date.fromisoformat(known[key]) if known[key] else None
        known["study_time"] = dt.time.fromisoformat(known["study_time"]) if known["study_time"] else None
        for key in ("image_type", "pixel_spacing", "image_position", "image_orientation"):
            known[key] = tuple(known[key]) if known[key] is not None else None
        known["window"] = tuple(tuple(pair) for pair in known["window"])
        return cls(**known)


def read_header(source: BinaryIO | bytes) -> Header:
    """Read the header of one object; the pixels of an image are proven to be there but not loaded.

    Raises
    ------
    Refused : with the reason, for anything that is not a whole DICOM object that a CT archive keeps.
    OSError : the storage failed, which says nothing about the file. No other exception leaves.
    """
    try:
        part10 = open_part10(io.BytesIO(source) if isinstance(source, bytes) else source)
        require_identity(part10.dataset)
        require_pixels(part10)
        return _header(part10)
    except Refused:
        raise
    except BaseException as error:  # whatever hostile bytes provoke in a parser ends as one refusal
        if not is_damage(error):
            raise
        raise Refused(
            "DAMAGED", "The file is damaged and cannot be read. Export and send it again."
        ) from error


def _header(part10: Part10) -> Header:
    dataset = part10.dataset
    born, studied = a.date(dataset, "PatientBirthDate"), a.date(dataset, "StudyDate")
    return Header(
        **_identity(part10),
        patient_id=a.text(dataset, "PatientID"),
        issuer_of_patient_id=a.text(dataset, "IssuerOfPatientID"),
        patient_name=person_name(dataset, "PatientName"),
        patient_birth_date=born,
        patient_sex=a.text(dataset, "PatientSex"),
        patient_age_years=a.age_years(dataset, born, studied),
        accession_number=a.text(dataset, "AccessionNumber"),
        study_date=studied,
        study_time=a.time(dataset, "StudyTime"),
        study_description=a.text(dataset, "StudyDescription"),
        study_id=a.text(dataset, "StudyID"),
        referring_physician_name=person_name(dataset, "ReferringPhysicianName"),
        institution_name=a.text(dataset, "InstitutionName"),
        **_series(dataset),
        **_matrix(dataset),
        **placement(dataset),
        **intensity(dataset, part10.transfer_syntax_uid),
        dicom_json=dicom_json(dataset),
    )


def _identity(part10: Part10) -> Json:
    dataset = part10.dataset
    return {
        "sop_class_uid": a.uid(dataset, "SOPClassUID"),
        "sop_instance_uid": a.uid(dataset, "SOPInstanceUID"),
        "study_instance_uid": a.uid(dataset, "StudyInstanceUID"),
        "series_instance_uid": a.uid(dataset, "SeriesInstanceUID"),
        "transfer_syntax_uid": part10.transfer_syntax_uid,
    }


def _series(dataset: Dataset) -> Json:
    return {
        "modality": a.text(dataset, "Modality").upper(),
        "series_number": a.integer(dataset, "SeriesNumber"),
        "series_description": a.text(dataset, "SeriesDescription"),
        "acquisition_date": a.date(dataset, "AcquisitionDate"),
        "acquisition_number": a.integer(dataset, "AcquisitionNumber"),
        "body_part": a.text(dataset, "BodyPartExamined"),
        "manufacturer": a.text(dataset, "Manufacturer"),
        "model_name": a.text(dataset, "ManufacturerModelName"),
        "software_versions": a.text(dataset, "SoftwareVersions"),
        "image_type": a.texts(dataset, "ImageType"),
        "frame_of_reference_uid": a.text(dataset, "FrameOfReferenceUID"),
        "convolution_kernel": a.text(dataset, "ConvolutionKernel"),
        "contrast_agent": a.text(dataset, "ContrastBolusAgent"),
        "kvp": a.number(dataset, "KVP"),
        "ctdi_vol": a.number(dataset, "CTDIvol"),
        "gantry_tilt": a.number(dataset, "GantryDetectorTilt"),
    }


def _matrix(dataset: Dataset) -> Json:
    bits = a.integer(dataset, "BitsAllocated") or 16
    return {
        "rows": a.integer(dataset, "Rows") or 0,
        "columns": a.integer(dataset, "Columns") or 0,
        "number_of_frames": a.integer(dataset, "NumberOfFrames") or 1,
        "samples_per_pixel": a.integer(dataset, "SamplesPerPixel") or 1,
        "photometric": a.text(dataset, "PhotometricInterpretation"),
        "bits_allocated": bits,
        "bits_stored": a.integer(dataset, "BitsStored") or bits,
    }


def placement(dataset: Dataset, frame: int = 0) -> Json:
    """Where an image or one frame of it lies, as fields of `Header`."""
    measures = a.from_groups(dataset, "PixelMeasuresSequence", "PixelSpacing", frame)
    spacing = a.numbers(measures, "PixelSpacing")
    position = a.numbers(
        a.from_groups(dataset, "PlanePositionSequence", "ImagePositionPatient", frame), "ImagePositionPatient"
    )
    orientation = a.numbers(
        a.from_groups(dataset, "PlaneOrientationSequence", "ImageOrientationPatient", frame),
        "ImageOrientationPatient",
    )
    thickness = a.number(
        a.from_groups(dataset, "PixelMeasuresSequence", "SliceThickness", frame), "SliceThickness"
    )
    return {
        "pixel_spacing": spacing if len(spacing) == 2 and min(spacing) > 0 else None,
        "slice_thickness": abs(thickness) if thickness else None,
        "spacing_between_slices": a.number(dataset, "SpacingBetweenSlices")
        or a.number(measures, "SpacingBetweenSlices"),
        "image_position": position if len(position) == 3 else None,
        "image_orientation": orientation if len(orientation) == 6 else None,
        "instance_number": a.integer(dataset, "InstanceNumber"),
    }


def intensity(dataset: Dataset, syntax: str, frame: int = 0) -> Json:
    """What the values of an image or one frame of it mean, as fields of `Header`."""
    scale = a.from_groups(dataset, "PixelValueTransformationSequence", "RescaleSlope", frame)
    said = a.text(dataset, "LossyImageCompression")
    pairs = zip(a.numbers(dataset, "WindowCenter"), a.numbers(dataset, "WindowWidth"), strict=False)
    return {
        "rescale_slope": a.number(scale, "RescaleSlope"),
        "rescale_intercept": a.number(scale, "RescaleIntercept"),
        "rescale_type": a.text(scale, "RescaleType").upper(),
        "lossy": said == "01" or syntax in ALWAYS_LOSSY or (syntax in PERHAPS_LOSSY and said != "00"),
        "window": tuple(pairs),
        "burned_in_annotation": a.text(dataset, "BurnedInAnnotation").upper() == "YES",
    }
