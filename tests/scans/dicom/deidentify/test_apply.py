"""Nothing that names somebody leaves the house: table E.1-1 of PS3.15, applied at every depth."""

from __future__ import annotations

import io

import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.sequence import Sequence

from scans.dicom.deidentify.apply import Deidentifier, without_names
from scans.dicom.deidentify.burned_in import burned_in_risk
from scans.dicom.deidentify.options import Options
from scans.dicom.deidentify.pseudonyms import Pseudonyms
from scans.dicom.deidentify.table import _table
from scans.dicom.pixels import decode
from tests.dicom_files import SERIES, STUDY, ct_image

SECRET = "SECRETPERSON"
TEXT = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
PSEUDONYMS = Pseudonyms(b"s" * 32)
OTHER_SALT = Pseudonyms(b"t" * 32)
PATIENT = "R-0123456789ABCDE"


def cleaned(content: bytes, *, pseudonyms: Pseudonyms = PSEUDONYMS, **options: bool) -> Dataset:
    return dcmread(io.BytesIO(copied(content, pseudonyms=pseudonyms, **options)))


def copied(content: bytes, *, pseudonyms: Pseudonyms = PSEUDONYMS, **options: bool) -> bytes:
    return Deidentifier(pseudonyms, Options(**options)).copy_of(io.BytesIO(content), PATIENT)


def telling() -> Dataset:
    """A data set in which every text attribute of the table holds the secret."""
    dataset = Dataset()
    for tag in _table():
        if dictionary_has_tag(tag) and dictionary_VR(tag) in TEXT:
            dataset.add_new(tag, dictionary_VR(tag), SECRET)
    return dataset


def changed(**changes: object) -> bytes:
    dataset = dcmread(io.BytesIO(ct_image()))
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return written(dataset)


def written(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def test_no_text_of_the_table_stays_at_any_depth() -> None:
    dataset = dcmread(io.BytesIO(ct_image()))
    dataset.update(telling())
    deep, kept = telling(), Dataset()
    kept.AnatomicRegionModifierSequence = Sequence([deep])
    dataset.AnatomicRegionSequence = Sequence([kept])
    content = written(dataset)

    assert content.count(SECRET.encode()) > 300
    assert SECRET.encode() not in copied(content)


def test_private_unknown_overlay_and_curve_attributes_go() -> None:
    dataset = dcmread(io.BytesIO(ct_image()))
    dataset.private_block(0x0029, "VENDOR", create=True).add_new(1, "LO", SECRET)
    dataset.add_new(0x00081234, "LO", SECRET)
    dataset.add_new(0x60003000, "OW", SECRET.encode())
    dataset.add_new(0x60000022, "LO", SECRET)
    dataset.add_new(0x50000022, "LO", SECRET)

    assert SECRET.encode() not in copied(written(dataset))


def test_the_preamble_and_the_file_header_tell_nothing() -> None:
    dataset = dcmread(io.BytesIO(ct_image()))
    dataset.preamble = SECRET.encode().ljust(128, b"x")
    dataset.file_meta.SourceApplicationEntityTitle = SECRET
    content = copied(written(dataset))

    assert SECRET.encode() not in content
    assert content[:128] == bytes(128)


def test_pixels_geometry_and_syntax_are_untouched() -> None:
    original, copy = ct_image(hu=-333), copied(ct_image(hu=-333))
    before, after = dcmread(io.BytesIO(original)), dcmread(io.BytesIO(copy))

    assert after.PixelData == before.PixelData
    assert (decode(io.BytesIO(copy)) == -333).all()
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        assert after[keyword] == before[keyword]
    assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID


def test_uids_go_together_and_follow_the_salt() -> None:
    first, second = (cleaned(ct_image(number)) for number in (1, 2))
    elsewhere = cleaned(ct_image(1), pseudonyms=OTHER_SALT)

    assert first.StudyInstanceUID == second.StudyInstanceUID != STUDY
    assert first.SeriesInstanceUID == second.SeriesInstanceUID != SERIES
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert elsewhere.StudyInstanceUID != first.StudyInstanceUID
    assert first.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2"


def test_references_follow_the_objects_that_they_name() -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    reference.ReferencedSOPInstanceUID = f"{SERIES}.1"
    copy = cleaned(changed(ReferencedImageSequence=[reference], SOPInstanceUID=f"{SERIES}.9"))

    named = copy.ReferencedImageSequence[0]
    assert named.ReferencedSOPInstanceUID == cleaned(ct_image(1)).SOPInstanceUID
    assert named.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"


def test_the_file_says_what_was_done() -> None:
    copy = cleaned(ct_image(), keep_dates=True)

    assert (copy.PatientIdentityRemoved, copy.LongitudinalTemporalInformationModified) == (
        "YES",
        "UNMODIFIED",
    )
    assert [one.CodeValue for one in copy.DeidentificationMethodCodeSequence] == ["113100", "113106"]
    assert (copy.PatientID, str(copy.PatientName)) == (PATIENT, PATIENT)


@pytest.mark.parametrize(("keep", "expected"), [(False, ""), (True, "20260312")])
def test_dates_are_kept_only_if_asked_for_and_birth_dates_never(keep: bool, expected: str) -> None:
    copy = cleaned(ct_image(), keep_dates=keep)

    assert copy.StudyDate == expected
    assert copy.PatientBirthDate == ""


@pytest.mark.parametrize(("age", "expected"), [("067Y", "067Y"), ("093Y", "090Y"), ("006M", "006M")])
def test_characteristics_are_kept_if_asked_for_and_great_ages_capped(age: str, expected: str) -> None:
    content = changed(PatientAge=age, PatientSex="F")

    assert cleaned(content, keep_patient=True).PatientAge == expected
    assert cleaned(content, keep_patient=True).PatientSex == "F"
    assert "PatientAge" not in cleaned(content)
    assert cleaned(content).PatientSex == ""


def test_descriptions_lose_the_words_that_name_somebody() -> None:
    content = changed(
        SeriesDescription="Lung 1.0 B50f DOE Jane Dr. Smith N-0001 20260312",
        ReferringPhysicianName="SMITH^JOHN",
        InstitutionName="Northside",
    )

    kept = cleaned(content, keep_descriptors=True).SeriesDescription
    assert kept.startswith("Lung 1.0 B50f")
    assert not any(word in kept.upper() for word in ("DOE", "JANE", "SMITH", "0001", "20260312"))
    assert "SeriesDescription" not in cleaned(content)


def test_a_name_inside_another_word_is_no_name() -> None:
    assert without_names("Does lung", frozenset({"DOE"})) == "Does lung"


def test_the_scanner_is_kept_only_if_asked_for() -> None:
    content = changed(DeviceSerialNumber="SN123", StationName="CT01", Manufacturer="Maker")

    assert cleaned(content, keep_device=True).DeviceSerialNumber == "SN123"
    assert cleaned(content).get("DeviceSerialNumber") != "SN123"
    assert cleaned(content).Manufacturer == "Maker"


def test_patients_of_one_number_at_two_issuers_stay_apart() -> None:
    assert PSEUDONYMS.patient("north", "1") != PSEUDONYMS.patient("south", "1")
    assert PSEUDONYMS.patient("north", "1") == PSEUDONYMS.patient("north", "1")
    assert PSEUDONYMS.patient("north", "1") != OTHER_SALT.patient("north", "1")


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(b"short")


@pytest.mark.parametrize(
    ("sop_class", "image_type", "stated", "risk"),
    [
        ("1.2.840.10008.5.1.4.1.1.7", ("DERIVED", "SECONDARY"), "NO", "burned_in"),
        ("1.2.840.10008.5.1.4.1.1.2", ("ORIGINAL", "PRIMARY", "AXIAL"), "YES", "burned_in"),
        ("1.2.840.10008.5.1.4.1.1.2", ("DERIVED", "SECONDARY", "MPR"), "", "not_stated"),
        ("1.2.840.10008.5.1.4.1.1.2", ("ORIGINAL", "PRIMARY", "LOCALIZER"), "", "not_stated"),
        ("1.2.840.10008.5.1.4.1.1.2", ("ORIGINAL", "PRIMARY", "AXIAL"), "", ""),
        ("1.2.840.10008.5.1.4.1.1.2", ("DERIVED", "PRIMARY"), "NO", ""),
    ],
)
def test_pixels_that_may_show_a_name_are_told(
    sop_class: str, image_type: tuple[str, ...], stated: str, risk: str
) -> None:
    json = {"00280301": {"vr": "CS", "Value": [stated]}} if stated else {}

    assert burned_in_risk(sop_class, image_type, json) == risk
