"""A small enhanced CT: many slices in one file, placed by functional groups (PS3.3 A.38)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import EnhancedCTImageStorage, RLELossless

from tests.dicom_files import ct_image

IN_GROUPS = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "RescaleSlope",
    "RescaleIntercept",
)


def enhanced_ct(
    hu: NDArray[np.int16], step_mm: float = 2.5, *, pixel_mm: float = 0.7, rle: bool = False, **changes: Any
) -> bytes:
    """One file with the slices (z, y, x) from the feet up; intercept of frame k is -1000 - k."""
    dataset = dcmread(io.BytesIO(ct_image()))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    for keyword in IN_GROUPS:
        delattr(dataset, keyword)
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = hu.shape
    dataset.SharedFunctionalGroupsSequence = [_shared(pixel_mm)]
    dataset.PerFrameFunctionalGroupsSequence = [_of_frame(k, step_mm) for k in range(len(hu))]
    stored = [(plane + 1000 + k).astype("<i2").tobytes() for k, plane in enumerate(hu)]
    if rle:
        _compress(dataset, stored)
    else:
        dataset.PixelData = b"".join(stored)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _shared(pixel_mm: float) -> Dataset:
    measures, orientation, kind, group = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [pixel_mm, pixel_mm], 2.5
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    kind.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    group.PixelMeasuresSequence, group.PlaneOrientationSequence = [measures], [orientation]
    group.CTImageFrameTypeSequence = [kind]
    return group


def _of_frame(k: int, step_mm: float) -> Dataset:
    position, scale, group = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [-10, -20, k * step_mm]
    scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = 1, -1000 - k, "HU"
    group.PlanePositionSequence, group.PixelValueTransformationSequence = [position], [scale]
    return group


def _compress(dataset: Dataset, stored: list[bytes]) -> None:
    """Each frame as RLE in two fragments, without an offset table."""
    encoder = get_encoder(RLELossless)
    pixels = {
        "rows": dataset.Rows,
        "columns": dataset.Columns,
        "samples_per_pixel": 1,
        "number_of_frames": 1,
        "bits_allocated": 16,
        "bits_stored": 16,
        "pixel_representation": 1,
        "photometric_interpretation": "MONOCHROME2",
    }
    frames = [encoder.encode(frame, index=0, **pixels) for frame in stored]
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PixelData = encapsulate(frames, has_bot=True)
    dataset["PixelData"].is_undefined_length = True
