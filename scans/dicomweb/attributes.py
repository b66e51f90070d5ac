"""The attributes that QIDO-RS answers and searches by, and where each is kept (PS3.18 section 10.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword


def tag_of(keyword: str) -> str:
    """The tag of a keyword, as the JSON model writes it."""
    return f"{tag_for_keyword(keyword):08X}"


class Level(IntEnum):
    """A level of the information model; a search at one level also knows the levels above it."""

    STUDY = 0
    SERIES = 1
    INSTANCE = 2


class Kept(IntEnum):
    """How the value of an attribute is kept."""

    COLUMN = 0
    DAY_OF_MOMENT = 1  # the date of a column with date and time
    TIME_OF_MOMENT = 2
    HEADER = 3  # in the header of the instances
    SUMMARY = 4  # counted from the rows below


@dataclass(frozen=True)
class Attribute:
    """One attribute of one level; `column` is seen from the table of that level."""

    keyword: str
    level: Level
    column: str = ""
    kept: Kept = Kept.COLUMN
    always: bool = True

    @property
    def tag(self) -> str:
        return tag_of(self.keyword)

    @property
    def vr(self) -> str:
        return dictionary_VR(self.keyword)


def _study() -> Iterator[Attribute]:
    level = Level.STUDY
    yield Attribute("StudyDate", level, "started_at", Kept.DAY_OF_MOMENT)
    yield Attribute("StudyTime", level, "started_at", Kept.TIME_OF_MOMENT)
    yield Attribute("AccessionNumber", level, "accession_number")
    yield Attribute("ModalitiesInStudy", level, "modalities", Kept.SUMMARY)
    yield Attribute("ReferringPhysicianName", level, "referring_physician_name")
    yield Attribute("StudyDescription", level, "description")
    yield Attribute("PatientName", level, "patient__name")
    yield Attribute("PatientID", level, "patient__medical_record_number")
    yield Attribute("IssuerOfPatientID", level, "patient__issuer", always=False)
    yield Attribute("PatientBirthDate", level, "patient__birth_date")
    yield Attribute("PatientSex", level, "patient__sex")
    yield Attribute("InstitutionName", level, "institution_name", always=False)
    yield Attribute("StudyInstanceUID", level, "study_instance_uid")
    yield Attribute("StudyID", level, "study_id")
    yield Attribute("NumberOfStudyRelatedSeries", level, "series_count", Kept.SUMMARY)
    yield Attribute("NumberOfStudyRelatedInstances", level, "images", Kept.SUMMARY)
    for keyword in ("PatientAge", "PatientSize", "PatientWeight", "TimezoneOffsetFromUTC"):
        yield Attribute(keyword, level, kept=Kept.HEADER, always=False)


def _series() -> Iterator[Attribute]:
    level = Level.SERIES
    yield Attribute("Modality", level, "modality")
    yield Attribute("SeriesDescription", level, "description")
    yield Attribute("SeriesInstanceUID", level, "series_instance_uid")
    yield Attribute("SeriesNumber", level, "series_number")
    yield Attribute("NumberOfSeriesRelatedInstances", level, "instance_count")
    for keyword in (
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "RequestAttributesSequence",
    ):
        yield Attribute(keyword, level, kept=Kept.HEADER)
    for keyword in (
        "SeriesDate", "SeriesTime", "BodyPartExamined", "ProtocolName", "Laterality", "Manufacturer",
        "ManufacturerModelName", "StationName", "FrameOfReferenceUID",
    ):  # fmt: skip
        yield Attribute(keyword, level, kept=Kept.HEADER, always=False)


def _instances() -> Iterator[Attribute]:
    level = Level.INSTANCE
    yield Attribute("SOPClassUID", level, "sop_class_uid")
    yield Attribute("SOPInstanceUID", level, "sop_instance_uid")
    yield Attribute("InstanceNumber", level, "instance_number")
    yield Attribute("AvailableTransferSyntaxUID", level, "transfer_syntax_uid")
    for keyword in ("Rows", "Columns", "BitsAllocated", "NumberOfFrames"):
        yield Attribute(keyword, level, kept=Kept.HEADER)


ATTRIBUTES = (*_study(), *_series(), *_instances())
BY_KEYWORD = {attribute.keyword: attribute for attribute in ATTRIBUTES}
IN_REQUEST = ("ScheduledProcedureStepID", "RequestedProcedureID")
"""Items of the Request Attributes Sequence that a series can be searched by (PS3.18 table 10.6.1-5)."""


def keyword_of(name: str) -> str:
    """The keyword of an attribute named by keyword or by tag; empty where the dictionary has none."""
    if tag_for_keyword(name) is not None:
        return name
    try:
        return keyword_for_tag(int(name, 16)) if len(name) == 8 else ""
    except (ValueError, OverflowError):
        return ""
