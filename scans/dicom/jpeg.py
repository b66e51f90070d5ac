"""What a JPEG family stream says of itself, and JPEG of 12 bits, which pydicom's decoders leave out."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import gdcm  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from scans.dicom.refusal import Refused

J2K_START = b"\xff\x4f\xff\x51"
JPEG_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"


@dataclass(frozen=True)
class JpegFrame:
    """The frame header of a JPEG or JPEG-LS stream (ITU-T T.81 B.2.2)."""

    precision: int
    rows: int
    columns: int
    components: int


def jpeg_frame(stream: bytes) -> JpegFrame | None:
    """The first frame header of a JPEG or JPEG-LS stream, None if it is none."""
    at = 2
    while stream.startswith(b"\xff\xd8") and at + 10 <= len(stream) and stream[at] == 0xFF:
        marker, length = stream[at + 1], struct.unpack(">H", stream[at + 2 : at + 4])[0]
        if marker in JPEG_FRAMES:
            return JpegFrame(*struct.unpack(">BHHB", stream[at + 4 : at + 10]))
        at += 1 if marker == 0xFF else 2 + length
    return None


def claimed_matrix(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 stream claims, None if it is none of them."""
    if stream.startswith(J2K_START) and len(stream) >= 24:
        right, bottom, left, top = struct.unpack(">4L", stream[8:24])
        return bottom - top, right - left
    frame = jpeg_frame(stream)
    return None if frame is None else (frame.rows, frame.columns)


def decode_jpeg12(stream: bytes, rows: int, columns: int, samples: int) -> NDArray[np.uint16]:
    """The values (rows, columns) of one JPEG Extended frame of 12 bits, by the 12-bit coder within GDCM.

    Raises
    ------
    Refused : more than one component, or a stream that cannot be decoded.
    """
    frame = jpeg_frame(stream)
    if samples != 1 or frame is None or frame.components != 1:
        raise Refused("UNSUPPORTED_ENCODING", "12-bit JPEG in colour is not decoded. Export it uncompressed.")
    image = _gdcm_image(stream, rows, columns)
    values = np.frombuffer(image.GetBuffer().encode("utf-8", "surrogateescape"), "<u2")
    if values.size != rows * columns:
        raise Refused("PIXELS_DAMAGED", "The pixels are damaged and cannot be decoded. Send it again.")
    return values.reshape(rows, columns)


def _gdcm_image(stream: bytes, rows: int, columns: int) -> gdcm.Image:
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(stream)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(JPEG_EXTENDED)))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    return image
