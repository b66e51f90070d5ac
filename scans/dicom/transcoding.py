"""An instance in Explicit VR Little Endian, the encoding that every client reads (PS3.5 A.2)."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataelem import DataElement
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from scans.dicom.image import Image, open_image
from scans.dicom.refusal import Refused
from scans.dicom.stored_frames import can_decode

LARGEST_BYTES = 256 << 20
"""A larger instance is sent as it is stored: it would not fit into the memory of a web process."""
WORD_BYTES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


def can_transcode(syntax: str) -> bool:
    """Whether instances of a transfer syntax can be turned into Explicit VR Little Endian."""
    uid = UID(syntax)
    return uid == ExplicitVRLittleEndian or (uid.is_transfer_syntax and not uid.is_private and _readable(uid))


def transcode(stream: BinaryIO) -> bytes:
    """The whole file in Explicit VR Little Endian with a clear preamble; the pixels keep their values.

    Raises
    ------
    Refused : it cannot be decoded, or is too large for that.
    """
    try:
        dataset: Dataset = dcmread(stream, force=True)
        _require_room(dataset)
        syntax = UID(dataset.file_meta.TransferSyntaxUID)
        if syntax.is_encapsulated and "PixelData" in dataset:
            stream.seek(0)
            _unpack(dataset, open_image(stream))
        elif syntax == ExplicitVRBigEndian:
            dataset = _turned(dataset)
        return _written(dataset)
    except (Refused, OSError):
        raise
    except Exception as error:  # decoders raise anything from ValueError to a bare RuntimeError
        raise Refused(
            "CANNOT_TRANSCODE",
            "The instance cannot be turned into Explicit VR Little Endian. Ask with transfer-syntax=*.",
        ) from error


def too_large() -> Refused:
    """The verdict on an instance that does not fit into memory."""
    return Refused(
        "TOO_LARGE", "The instance is too large to be unpacked. Ask for it with transfer-syntax=*."
    )


def _readable(syntax: UID) -> bool:
    return not syntax.is_encapsulated or can_decode(str(syntax))


def _written(dataset: Dataset) -> bytes:
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.preamble = b"\0" * 128
    file = io.BytesIO()
    dcmwrite(file, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return file.getvalue()


def _require_room(dataset: Dataset) -> None:
    pixels = int(dataset.get("Rows") or 0) * int(dataset.get("Columns") or 0)
    frames, samples = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("SamplesPerPixel") or 1)
    size = pixels * frames * samples * int(dataset.get("BitsAllocated") or 8) // 8
    if size > LARGEST_BYTES:
        raise too_large()


def _unpack(dataset: Dataset, image: Image) -> None:
    """Replace compressed pixels by their values; YBR colours become RGB (PS3.5 section 8.2)."""
    pixels = b"".join(image.stored(frame, as_rgb=True).tobytes() for frame in range(image.frames))
    expected = image.rows * image.columns * image.samples * image.frames * int(dataset.BitsAllocated) // 8
    if len(pixels) != expected:
        raise Refused("PIXELS_DAMAGED", "The compressed pixels have another size than the header says.")
    dataset.add_new("PixelData", "OW" if dataset.BitsAllocated > 8 else "OB", pixels + b"\0" * (expected % 2))
    if image.samples > 1:
        dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            del dataset[keyword]


def _turned(dataset: Dataset) -> Dataset:
    """A big endian data set as one that can be written little endian."""
    dataset.walk(_swap)
    fresh = Dataset(dict(dataset.items()))
    fresh.file_meta = dataset.file_meta
    return fresh


def _swap(dataset: Dataset, element: DataElement) -> None:
    size = WORD_BYTES.get(element.VR)
    if element.tag == 0x7FE00010 and int(dataset.get("BitsAllocated") or 16) <= 8:
        return
    if size and isinstance(element.value, bytes):
        element.value = np.frombuffer(element.value, f"u{size}").byteswap().tobytes()
