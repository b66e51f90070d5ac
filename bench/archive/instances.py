"""CT instances of 525 kB with UIDs of their own: noise, so that nothing compresses it."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian


def fresh_uid() -> str:
    return f"2.25.{uuid.uuid4().int}"


def series(count: int, patient: str = "BENCH-1", study: str = "") -> Iterator[bytes]:
    """`count` slices of one series of a study of its own."""
    study, of_series = study or fresh_uid(), fresh_uid()
    plane = np.random.default_rng(7).integers(0, 2000, (512, 512), np.int16)
    for number in range(count):
        yield _instance(number, patient, study, of_series, np.roll(plane, number))


def _instance(number: int, patient: str, study: str, of_series: str, plane: NDArray[np.int16]) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.update(_scan(study, of_series))
    dataset.PatientID, dataset.PatientName = patient, f"{patient}^Of"
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = UID(f"{of_series}.{number}")
    dataset.InstanceNumber, dataset.ImagePositionPatient = number, [-180, -180, float(number)]
    dataset.PixelData = plane.tobytes()
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _scan(study: str, of_series: str) -> Dataset:
    scan = Dataset()
    scan.SOPClassUID, scan.Modality, scan.ImageType = CTImageStorage, "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    scan.StudyInstanceUID, scan.SeriesInstanceUID, scan.FrameOfReferenceUID = study, of_series, fresh_uid()
    scan.StudyDate, scan.StudyTime, scan.AccessionNumber, scan.StudyID = "20260312", "104200", "B1", "1"
    scan.PatientBirthDate, scan.PatientSex, scan.BodyPartExamined = "19580402", "F", "CHEST"
    scan.Manufacturer, scan.ManufacturerModelName, scan.StudyDescription = "Bench", "Noise", "CT chest"
    scan.SeriesNumber, scan.SeriesDescription, scan.SliceThickness, scan.KVP = 3, "lung 1.0", 1.0, 120
    scan.ConvolutionKernel, scan.PatientPosition, scan.RescaleType = "B40f", "HFS", "HU"
    scan.ImageOrientationPatient, scan.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.7, 0.7]
    scan.Rows = scan.Columns = 512
    scan.SamplesPerPixel, scan.PhotometricInterpretation = 1, "MONOCHROME2"
    scan.BitsAllocated, scan.BitsStored, scan.HighBit, scan.PixelRepresentation = 16, 16, 15, 1
    scan.RescaleSlope, scan.RescaleIntercept, scan.WindowCenter, scan.WindowWidth = 1, -1024, -600, 1500
    return scan
