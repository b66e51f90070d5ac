"""What every object that we write has in common: UIDs, the study that it joins, who made it, when."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from dataclasses import dataclass

from pydicom import Dataset, FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from scans.dicom import attributes as a
from scans.dicom.person_names import person_name

MANUFACTURER = "lungportal"
MODEL = "lungportal"
SERIAL = "software"
UTF8 = "ISO_IR 192"
# UUID-derived root for the writer of the files (PS3.5 B.2).
IMPLEMENTATION_UID = UID("2.25.318204275590463372143937563514265092873")
SEXES = ("M", "F", "O")
NAMES = ("PatientName", "ReferringPhysicianName")
DATES = ("PatientBirthDate", "StudyDate")
TEXTS = ("PatientID", "StudyID", "AccessionNumber", "StudyInstanceUID")
OPTIONAL = (
    "IssuerOfPatientID",
    "StudyDescription",
    "PatientAge",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
)
IMAGE = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


@dataclass(frozen=True)
class Placing:
    """Where a new object stands: its UIDs, its series, its moment and the version of the writer.

    `moment` is local time without zone, as DICOM dates of the study are.
    """

    sop_instance_uid: str
    series_instance_uid: str
    series_number: int
    series_description: str
    moment: dt.datetime
    software_version: str
    instance_number: int = 1


def derived_uid(*parts: object) -> str:
    """A UID below 2.25 that depends on `parts` alone (PS3.5 B.2): made twice it is the same."""
    digest = bytearray(hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()[:16])
    digest[6] = (digest[6] & 0x0F) | 0x80  # a UUID of version 8 (RFC 9562 section 5.8)
    digest[8] = (digest[8] & 0x3F) | 0x80
    return f"2.25.{int.from_bytes(digest, 'big')}"


def study_header(source: Dataset) -> Dataset:
    """Patient and study modules of an image: what must stand there stands there, empty if unknown (type 2).

    Values that DICOM does not allow (a sex of "X", a date of "unknown") come out empty; text in UTF-8.
    """
    header = Dataset()
    header.SpecificCharacterSet = UTF8
    for keyword in NAMES:
        setattr(header, keyword, person_name(source, keyword))
    for keyword in DATES:
        day = a.date(source, keyword)
        setattr(header, keyword, f"{day:%Y%m%d}" if day else "")
    moment = a.time(source, "StudyTime")
    header.StudyTime = f"{moment:%H%M%S}" if moment else ""
    sex = a.text(source, "PatientSex").upper()
    header.PatientSex = sex if sex in SEXES else ""
    for keyword in TEXTS:
        setattr(header, keyword, a.text(source, keyword))
    for keyword in OPTIONAL:
        if text := a.text(source, keyword):
            setattr(header, keyword, text)
    return header


def image_header(source: Dataset) -> Dataset:
    """An image without pixels, as far as objects that refer to it need it."""
    header = study_header(source)
    for keyword in IMAGE:
        if keyword in source:
            header[keyword] = source[keyword]
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return header


def as_instance(sop_class_uid: str, placing: Placing, modality: str) -> Dataset:
    """SOP common, series and equipment modules of a new object."""
    new = Dataset()
    day, time = date_and_time(placing.moment)
    new.SOPClassUID, new.SOPInstanceUID = sop_class_uid, placing.sop_instance_uid
    new.SeriesInstanceUID, new.SeriesNumber = placing.series_instance_uid, placing.series_number
    new.SeriesDescription, new.InstanceNumber = placing.series_description, placing.instance_number
    new.Modality, new.Manufacturer, new.ManufacturerModelName = modality, MANUFACTURER, MODEL
    new.DeviceSerialNumber, new.SoftwareVersions = SERIAL, placing.software_version
    new.InstanceCreationDate = new.SeriesDate = new.ContentDate = day
    new.InstanceCreationTime = new.SeriesTime = new.ContentTime = time
    return new


def settle(dataset: Dataset, placing: Placing) -> Dataset:
    """The moment of the placing where a library wrote the time of the call: made twice, the same bytes."""
    day, time = date_and_time(placing.moment)
    for keyword in ("InstanceCreationDate", "SeriesDate", "ContentDate"):
        setattr(dataset, keyword, day)
    for keyword in ("InstanceCreationTime", "SeriesTime", "ContentTime"):
        setattr(dataset, keyword, time)
    for equipment in dataset.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = f"{day}{time}"
    return dataset


def date_and_time(moment: dt.datetime) -> tuple[str, str]:
    return f"{moment:%Y%m%d}", f"{moment:%H%M%S}"


def to_bytes(dataset: Dataset) -> bytes:
    """The object as a Part 10 file, explicit VR little endian, preamble of zeros."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        dataset.SOPClassUID,
        dataset.SOPInstanceUID,
    )
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = IMPLEMENTATION_UID, "LUNGPORTAL"
    file = io.BytesIO()
    whole = FileDataset(file, dataset, preamble=b"\0" * 128, file_meta=meta)
    whole.save_as(file, enforce_file_format=True)
    return file.getvalue()
