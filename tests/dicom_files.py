"""Small valid CT images for tests, with vendor quirks and damage as arguments."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from pydicom import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

STUDY = "2.25.77001"
SERIES = "2.25.77002"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"


def ct_image(
    number: int = 1, *, series: str = SERIES, study: str = STUDY, hu: int = -850, **changes: Any
) -> bytes:
    """One CT image of 32 x 32 pixels at z = number mm; keywords replace or remove (None) attributes."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.update(_attributes(number, series, study))
    dataset.PixelData = np.full((32, 32), hu + 1024, np.int16).tobytes()
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", generate_uid())
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _attributes(number: int, series: str, study: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = f"{series}.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.PatientID, dataset.PatientName = "N-0001", "DOE^Jane"
    dataset.PatientBirthDate, dataset.PatientSex = "19580402", "F"
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20260312", "104200", "A1"
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.SliceThickness = 3, number, 1.0
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    dataset.FrameOfReferenceUID, dataset.PixelSpacing = "2.25.77009", [0.7, 0.7]
    dataset.Rows = dataset.Columns = 32
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    return dataset


def chest(slices: int = 64, **changes: Any) -> list[bytes]:
    """A coarse chest with two lungs: 64 x 64 pixels of 5.5 mm, slices of 2.5 mm every 3 mm."""
    attributes = {"PixelSpacing": [5.5, 5.5], "SliceThickness": 2.5, "Rows": 64, "Columns": 64, **changes}
    return [
        ct_image(n, PixelData=_chest_plane(n / slices), ImagePositionPatient=[0, 0, 3.0 * n], **attributes)
        for n in range(slices)
    ]


def _chest_plane(height: float) -> bytes:
    y, x = np.mgrid[0:64, 0:64]
    plane = np.full((64, 64), -1000, np.int16)
    plane[((x - 32) / 27) ** 2 + ((y - 32) / 19) ** 2 < 1] = 40
    size = max(1 - ((height - 0.5) / 0.42) ** 2, 0) ** 0.5
    for middle in (20, 44):
        plane[((x - middle) / 9) ** 2 + ((y - 32) / 13) ** 2 < size**2] = -850
    return (plane + 1024).astype(np.int16).tobytes()


def report(study: str = STUDY, number: int = 1, **changes: Any) -> bytes:
    """A small structured report of a study: an object without pixels."""
    absent = dict.fromkeys(("PixelData", "Rows", "Columns", "PixelSpacing", "ImagePositionPatient"))
    named = {"SOPClassUID": COMPREHENSIVE_SR, "Modality": "SR", **absent, **changes}
    return ct_image(number, series="2.25.77010", study=study, **named)
