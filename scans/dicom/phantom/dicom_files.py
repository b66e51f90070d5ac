"""A phantom as CT Image Storage files, with its truth beside them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from scans.dicom.phantom.spec import Phantom, StudySpec

INTERCEPT = -1024
SERIES_NUMBER = 2
# UUID-derived root for the writer of the files (PS3.5 B.2).
IMPLEMENTATION_UID = UID("2.25.318204275590463372143937563514265092873")
TRUTH_FILE = "truth.json"


def write_dicom(phantom: Phantom, directory: Path, study: StudySpec) -> list[Path]:
    """Write one file per slice and `truth.json`; the same phantom and study give the same bytes.

    Returns the paths of the DICOM files, from the feet to the head.
    """
    directory.mkdir(parents=True, exist_ok=True)
    common = _common(phantom, study)
    paths = []
    for k in range(len(phantom.hu)):
        path = directory / f"CT{k + 1:04d}.dcm"
        _instance(phantom, study, common, k).save_as(path, enforce_file_format=True)
        paths.append(path)
    (directory / TRUTH_FILE).write_text(json.dumps(_truth(phantom, study), indent=1) + "\n")
    return paths


def synthetic_uid(*parts: object) -> str:
    """A UID below 2.25 that depends on `parts` alone (PS3.5 B.2)."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def study_uid(study: StudySpec) -> str:
    return synthetic_uid("study", study.patient.patient_id, study.accession_number)


def series_uid(study: StudySpec) -> str:
    return synthetic_uid("series", study.patient.patient_id, study.accession_number, study.phantom)


def _truth(phantom: Phantom, study: StudySpec) -> dict[str, object]:
    return {
        "study_instance_uid": study_uid(study),
        "series_instance_uid": series_uid(study),
        "patient_id": study.patient.patient_id,
        "coordinates": "LPS mm",
        "nodules": [one.to_json() for one in phantom.truth],
    }


def _common(phantom: Phantom, study: StudySpec) -> Dataset:
    """What is the same on all slices."""
    dataset = Dataset()
    _describe_patient(dataset, study)
    _describe_study(dataset, study)
    _describe_equipment(dataset, study)
    _describe_picture(dataset, phantom)
    return dataset


def _describe_patient(dataset: Dataset, study: StudySpec) -> None:
    patient = study.patient
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = patient.name
    dataset.PatientID = patient.patient_id
    dataset.PatientBirthDate = patient.birth_date.strftime("%Y%m%d")
    dataset.PatientSex = patient.sex
    born, seen = patient.birth_date, study.study_date
    age = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    dataset.PatientAge = f"{age:03d}Y"
    dataset.PatientPosition = "HFS"


def _describe_study(dataset: Dataset, study: StudySpec) -> None:
    day, time = study.study_date.strftime("%Y%m%d"), study.study_time.strftime("%H%M%S")
    dataset.StudyInstanceUID = study_uid(study)
    dataset.SeriesInstanceUID = series_uid(study)
    dataset.FrameOfReferenceUID = synthetic_uid("frame", study.patient.patient_id, study.accession_number)
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = day
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = time
    dataset.AccessionNumber = study.accession_number
    dataset.StudyID = study.accession_number[-8:]
    dataset.StudyDescription = study.description
    dataset.SeriesDescription = f"Lung {study.phantom.increment_mm:g} mm"
    dataset.SeriesNumber = SERIES_NUMBER
    dataset.AcquisitionNumber = 1
    dataset.ReferringPhysicianName = "Synthetic^Referrer"
    dataset.PositionReferenceIndicator = ""
    dataset.BodyPartExamined = "CHEST"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Synthetic phantom; no person was scanned"


def _describe_equipment(dataset: Dataset, study: StudySpec) -> None:
    dataset.Modality = "CT"
    dataset.Manufacturer = "lungportal"
    dataset.ManufacturerModelName = "Synthetic chest phantom"
    dataset.SoftwareVersions = "1"
    dataset.InstitutionName = "Demo hospital"
    dataset.KVP = "120"
    dataset.ConvolutionKernel = "STANDARD"
    dataset.CTDIvol = 2.4
    dataset.CTDIPhantomTypeCodeSequence = [_body_dose_phantom()]
    dataset.GantryDetectorTilt = "0"
    if study.phantom.contrast:
        dataset.ContrastBolusAgent = "Synthetic contrast medium"


def _body_dose_phantom() -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "113691", "DCM"
    code.CodeMeaning = "IEC Body Dosimetry Phantom"
    return code


def _describe_picture(dataset: Dataset, phantom: Phantom) -> None:
    spacing, direction = phantom.geometry.spacing_mm, phantom.geometry.direction
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = phantom.geometry.shape[1:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope = str(INTERCEPT), "1"
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = ["-600", "40"], ["1500", "400"]
    dataset.PixelSpacing = [f"{spacing[1]:g}", f"{spacing[2]:g}"]
    dataset.SliceThickness = f"{spacing[0]:g}"
    dataset.SpacingBetweenSlices = f"{spacing[0]:g}"
    dataset.ImageOrientationPatient = [f"{value:g}" for vector in direction[:2] for value in vector]
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"


def _instance(phantom: Phantom, study: StudySpec, common: Dataset, k: int) -> FileDataset:
    """Slice `k`; numbers run from the head, as scanners count."""
    dataset = FileDataset("", Dataset(common), preamble=b"\0" * 128)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = synthetic_uid("instance", series_uid(study), k)
    dataset.InstanceNumber = len(phantom.hu) - k
    position = phantom.geometry.to_mm((k, 0, 0))
    dataset.ImagePositionPatient = [f"{value:.6f}".rstrip("0").rstrip(".") for value in position]
    dataset.SliceLocation = dataset.ImagePositionPatient[2]
    stored = np.clip(phantom.hu[k].astype(np.int32) - INTERCEPT, 0, 4095).astype("<u2")
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "LUNGPORTAL"
    dataset.file_meta = meta
    return dataset
