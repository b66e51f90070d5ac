"""Pixels of CT images as Hounsfield units (DICOM PS3.3 C.11.1, CLINICAL section 1.3)."""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from scans.dicom import attributes as a
from scans.dicom.part10 import PIXEL_DATA, Part10, open_part10
from scans.dicom.refusal import Refused

AIR_HU = -1024
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
LARGEST_MATRIX = 4096 * 4096
J2K_START = b"\xff\x4f\xff\x51"
JPEG_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}


def decode(source: BinaryIO | bytes, frame: int = 0) -> NDArray[np.int16]:
    """One frame of a CT image in HU (rows, columns); padding and anything below air become -1024.

    Raises
    ------
    Refused : the pixels cannot be decoded here, are damaged, or are not Hounsfield units.
    OSError : the storage failed, which says nothing about the pixels.
    """
    try:
        part10 = open_part10(io.BytesIO(source) if isinstance(source, bytes) else source)
        return _to_hu(part10.dataset, _stored(part10, frame), frame)
    except (Refused, OSError):
        raise
    except Exception as error:  # decoders raise anything from ValueError to a bare RuntimeError
        raise Refused(
            "PIXELS_DAMAGED", "The pixels are damaged and cannot be decoded. Send it again."
        ) from error


def _stored(part10: Part10, frame: int) -> NDArray[np.integer[Any]]:
    """The stored values of one frame, signed or unsigned as the header says."""
    syntax = UID(part10.transfer_syntax_uid)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise _unsupported(syntax) from error
    if not decoder.is_available:
        raise _unsupported(syntax)
    dataset = _with_pixels(part10, syntax)
    try:
        stored, _ = decoder.as_array(dataset, index=frame, raw=True)
    except (RuntimeError, NotImplementedError) as error:
        if "12-bit" in str(error) or syntax.endswith(".51"):
            raise _unsupported(syntax) from error
        raise
    return stored


def _unsupported(syntax: UID) -> Refused:
    return Refused(
        "UNSUPPORTED_ENCODING",
        f"Pixels encoded as {syntax.name} cannot be decoded here. Export the series uncompressed.",
    )


def _with_pixels(part10: Part10, syntax: UID) -> Dataset:
    """The data set with its pixel bytes, after a look at the size that they claim."""
    dataset, pixels = part10.dataset, part10.pixels
    if pixels is None or pixels.tag != PIXEL_DATA or not pixels.length:
        raise Refused("NO_PIXELS", "The file holds no pixels. Send the image itself.")
    rows, columns = a.integer(dataset, "Rows") or 0, a.integer(dataset, "Columns") or 0
    if (a.integer(dataset, "SamplesPerPixel") or 1) != 1:
        raise Refused("NOT_CT_PIXELS", "The image is in colour, so it holds no Hounsfield units.")
    if not 0 < rows * columns <= LARGEST_MATRIX:
        raise Refused("TOO_LARGE", f"A matrix of {rows} x {columns} is not read; 4096 x 4096 is the limit.")
    part10.body.seek(pixels.offset)
    raw = part10.body.read(pixels.end - pixels.offset)
    if pixels.fragments:
        start = pixels.fragments[0][0] - pixels.offset
        claimed = claimed_matrix(raw[start : start + 65536])
        if claimed is not None and claimed != (rows, columns):
            raise Refused("PIXELS_DAMAGED", "The compressed pixels have another size than the header says.")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.add_new(PIXEL_DATA, "OB" if pixels.fragments is not None else "OW", raw)
    dataset["PixelData"].is_undefined_length = pixels.fragments is not None
    return dataset


def claimed_matrix(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 stream claims, None if it is none of them.

    Decoders reserve memory by this claim, so it is checked before they see it.
    """
    if stream.startswith(J2K_START) and len(stream) >= 24:
        right, bottom, left, top = struct.unpack(">4L", stream[8:24])
        return bottom - top, right - left
    at = 2
    while stream.startswith(b"\xff\xd8") and at + 9 <= len(stream) and stream[at] == 0xFF:
        marker, length = stream[at + 1], struct.unpack(">H", stream[at + 2 : at + 4])[0]
        if marker in JPEG_FRAMES:
            rows, columns = struct.unpack(">HH", stream[at + 5 : at + 9])
            return rows, columns
        at += 1 if marker == 0xFF else 2 + length
    return None


def is_hounsfield(rescale_type: str, sop_class_uid: str) -> bool:
    """Whether the rescaled values are HU.

    Workstations write "US" (unspecified) or a word of their own such as "Hounsfield" on plain CT.
    """
    plain = sop_class_uid == CT_IMAGE and rescale_type == "US"
    return not rescale_type or plain or rescale_type.startswith(("HU", "HOU"))


def _to_hu(dataset: Dataset, stored: NDArray[np.integer[Any]], frame: int) -> NDArray[np.int16]:
    scale = a.from_groups(dataset, "PixelValueTransformationSequence", "RescaleSlope", frame)
    slope, intercept = a.number(scale, "RescaleSlope"), a.number(scale, "RescaleIntercept")
    if (
        slope is None
        or intercept is None
        or slope <= 0
        or not is_hounsfield(a.text(scale, "RescaleType").upper(), a.uid(dataset, "SOPClassUID"))
    ):
        raise Refused("NOT_HU", "The pixels cannot be converted to Hounsfield units.")
    if slope == 1 and intercept == int(intercept):
        hu = stored.astype(np.int32) + int(intercept)
    else:
        hu = np.rint(stored.astype(np.float64) * slope + intercept).astype(np.int32)
    hu[_padding(dataset, stored)] = AIR_HU
    return np.clip(hu, AIR_HU, 32767).astype(np.int16)


def _padding(dataset: Dataset, stored: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Where the stored value lies in the padding range (PS3.3 C.7.5.1.1.2), written signed or unsigned."""
    first = a.integer(dataset, "PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, bool)
    last = a.integer(dataset, "PixelPaddingRangeLimit")
    info = np.iinfo(stored.dtype)
    bounds = [_wrapped(value, info) for value in (first, first if last is None else last)]
    return np.asarray((stored >= min(bounds)) & (stored <= max(bounds)))


def _wrapped(value: int, info: np.iinfo[np.integer[Any]]) -> int:
    span = 1 << info.bits
    if value > info.max:
        return value - span
    return value + span if value < info.min else value
