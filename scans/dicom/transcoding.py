"""An instance in Explicit VR Little Endian, the encoding that every client reads (PS3.5 A.2)."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement
from pydicom.encaps import generate_frames
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from scans.dicom.jpeg import claimed_matrix
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
        dataset = dcmread(stream)
        _require_room(dataset)
        syntax = UID(dataset.file_meta.TransferSyntaxUID)
        if syntax.is_compressed and "PixelData" in dataset and syntax.is_encapsulated:
            _require_claims(dataset)
            dataset.decompress(as_rgb=True, generate_instance_uid=False)
        elif syntax == ExplicitVRBigEndian:
            dataset.walk(_swap)
        return _written(dataset)
    except (Refused, OSError):
        raise
    except Exception as error:  # decoders raise anything from ValueError to a bare RuntimeError
        raise Refused(
            "CANNOT_TRANSCODE",
            "The instance cannot be turned into Explicit VR Little Endian. Ask with transfer-syntax=*.",
        ) from error


def _readable(syntax: UID) -> bool:
    return not syntax.is_encapsulated or can_decode(str(syntax))


def _written(dataset: Dataset) -> bytes:
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.preamble = b"\0" * 128
    file = io.BytesIO()
    dataset.save_as(file, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return file.getvalue()


def _require_room(dataset: Dataset) -> None:
    pixels = int(dataset.get("Rows") or 0) * int(dataset.get("Columns") or 0)
    frames, samples = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("SamplesPerPixel") or 1)
    size = pixels * frames * samples * int(dataset.get("BitsAllocated") or 8) // 8
    if size > LARGEST_BYTES:
        raise Refused(
            "TOO_LARGE", "The instance is too large to be unpacked. Ask for it with transfer-syntax=*."
        )


def _require_claims(dataset: Dataset) -> None:
    """Decoders reserve memory by the size that a compressed frame claims: it must be that of the header."""
    frames = generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
    for frame in frames:
        claimed = claimed_matrix(frame[:65536])
        if claimed is not None and claimed != (dataset.Rows, dataset.Columns):
            raise Refused("PIXELS_DAMAGED", "The compressed pixels have another size than the header says.")


def _swap(dataset: Dataset, element: DataElement) -> None:
    size = WORD_BYTES.get(element.VR)
    if element.tag == 0x7FE00010 and int(dataset.get("BitsAllocated") or 16) <= 8:
        return
    if size and isinstance(element.value, bytes):
        element.value = np.frombuffer(element.value, f"u{size}").byteswap().tobytes()
