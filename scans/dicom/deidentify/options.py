"""Options of the profile, their codes (PS3.16 CID 7050), and what each of them keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

Code = tuple[str, str]

BASIC: Code = ("113100", "Basic Application Confidentiality Profile")
DESCRIPTORS: Code = ("113105", "Clean Descriptors Option")
FULL_DATES: Code = ("113106", "Retain Longitudinal Temporal Information Full Dates Option")
CHARACTERISTICS: Code = ("113108", "Retain Patient Characteristics Option")
DEVICE: Code = ("113109", "Retain Device Identity Option")


def _tags(*keywords: str) -> frozenset[int]:
    return frozenset(tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None)


DESCRIPTOR_TAGS = _tags(
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
    "RequestedProcedureDescription",
    "AcquisitionProtocolDescription",
)
CHARACTERISTIC_TAGS = _tags(
    "PatientSex", "PatientAge", "PatientSize", "PatientWeight", "SmokingStatus", "PregnancyStatus"
)
DEVICE_TAGS = _tags("DeviceSerialNumber", "StationName", "DeviceUID", "DetectorID", "GantryID")
DATES_OF_PEOPLE = _tags("PatientBirthDate", "PatientBirthTime", "LastMenstrualDate")
ZONE = _tags("TimezoneOffsetFromUTC")


@dataclass(frozen=True)
class Options:
    """What is kept beside the basic profile.

    Attributes
    ----------
    keep_dates : dates and times of the examination; never the birth date.
    keep_descriptors : descriptions of study, series and protocol, without words that name somebody.
    keep_patient : sex, age (90 and above as 90), size, weight, smoking.
    keep_device : serial number and station of the scanner.
    """

    keep_dates: bool = False
    keep_descriptors: bool = False
    keep_patient: bool = False
    keep_device: bool = False

    @property
    def codes(self) -> Iterator[Code]:
        """The profile and each option that is on, as stated in the files."""
        yield BASIC
        for chosen, code in (
            (self.keep_descriptors, DESCRIPTORS),
            (self.keep_dates, FULL_DATES),
            (self.keep_patient, CHARACTERISTICS),
            (self.keep_device, DEVICE),
        ):
            if chosen:
                yield code

    def keeps(self, tag: int, vr: str) -> bool:
        """Whether an option keeps an attribute that the basic profile takes away."""
        if vr in ("DA", "DT", "TM") or tag in ZONE:
            return self.keep_dates and tag not in DATES_OF_PEOPLE
        return (self.keep_patient and tag in CHARACTERISTIC_TAGS) or (self.keep_device and tag in DEVICE_TAGS)

    def cleans(self, tag: int) -> bool:
        """Whether an option keeps an attribute after its text was cleaned."""
        return self.keep_descriptors and tag in DESCRIPTOR_TAGS
