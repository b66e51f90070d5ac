"""A plain picture as DICOM Secondary Capture (PS3.3 A.8.1): no Hounsfield units, no spacing, no patient."""

from __future__ import annotations

import datetime as dt
import hashlib

from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from scans.dicom.objects.identity import Placing, as_instance, derived_uid, study_header
from scans.dicom.pictures import PlainPicture

KIND = "PLAIN_PICTURE"
IMAGE_TYPE = ("DERIVED", "SECONDARY", KIND)
DESCRIPTION = "Plain picture: no HU, no spacing"
UNDATED = dt.datetime(1900, 1, 1)
LOSSY_JPEG = "ISO_10918_1"


def write_capture(picture: PlainPicture, content: bytes, software_version: str) -> Dataset:
    """A study of its own with one image; `content` is the file that it came in.

    UIDs follow the bytes of the file and nothing else, and the object names no moment: the same picture sent
    twice is the same instance.
    """
    key = hashlib.sha256(content).hexdigest()
    placing = Placing(
        sop_instance_uid=derived_uid("picture", key),
        series_instance_uid=derived_uid("picture series", key),
        series_number=1,
        series_description=DESCRIPTION,
        moment=UNDATED,
        software_version=software_version,
    )
    made = as_instance(SecondaryCaptureImageStorage, placing, "OT")
    for keyword in ("InstanceCreationDate", "InstanceCreationTime", "SeriesDate", "SeriesTime",
                    "ContentDate", "ContentTime"):  # fmt: skip
        delattr(made, keyword)
    made.update(study_header(Dataset()))
    made.StudyInstanceUID = derived_uid("picture study", key)
    made.StudyDescription = DESCRIPTION
    made.ConversionType, made.ImageType, made.PatientOrientation = "WSD", list(IMAGE_TYPE), ""
    made.Laterality = ""
    made.DerivationDescription = "Made from a picture file; its metadata was dropped."
    _lay_pixels(made, picture, len(content))
    return made


def _lay_pixels(made: Dataset, picture: PlainPicture, file_bytes: int) -> None:
    """The image pixel module (PS3.3 C.7.6.3), little endian, uncompressed."""
    pixels = picture.pixels
    colour, bits = pixels.ndim == 3, pixels.dtype.itemsize * 8
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = bits
    made.HighBit, made.PixelRepresentation = bits - 1, 0
    made.LossyImageCompression = "01" if picture.lossy else "00"
    if picture.lossy:
        made.LossyImageCompressionMethod = LOSSY_JPEG
        made.LossyImageCompressionRatio = f"{max(pixels.nbytes / file_bytes, 1):.2f}"
    body = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    made.PixelData = body + b"\0" * (len(body) % 2)
    made["PixelData"].VR = "OB" if bits == 8 else "OW"
