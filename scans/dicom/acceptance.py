"""What passes as a whole object that can be filed."""

from __future__ import annotations

import re

from pydicom import Dataset
from pydicom.uid import UID

from scans.dicom import attributes as a
from scans.dicom import sop_classes
from scans.dicom.part10 import PIXEL_DATA, Part10, truncated
from scans.dicom.refusal import Refused

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
SOP_CLASS = "SOP_CLASS"
COMPRESSED = re.compile(r"1\.2\.840\.10008\.1\.2\.(4\.\d+|5)")


def require_identity(dataset: Dataset) -> None:
    """Refuse what has no valid UIDs of class, instance, study and series."""
    for keyword, noun in (
        ("SOPClassUID", "SOP class"),
        ("SOPInstanceUID", "SOP instance"),
        ("StudyInstanceUID", "study"),
        ("SeriesInstanceUID", "series"),
    ):
        uid = a.uid(dataset, keyword)
        if not uid:
            raise Refused("NO_UID", f"The file has no {noun} UID and cannot be filed. Export it again.")
        if len(uid) > 64 or not _UID.fullmatch(uid):
            raise Refused("BAD_UID", f"The {noun} UID of the file is not valid. Export it again.")


def require_pixels(part10: Part10) -> None:
    """Refuse an image without pixels or with fewer than it announces, and what belongs to no CT archive."""
    dataset, pixels = part10.dataset, part10.pixels
    sop_class = a.uid(dataset, "SOPClassUID")
    if sop_classes.may_lack_pixels(sop_class) and (pixels is None or pixels.tag != PIXEL_DATA):
        return
    if pixels is None:
        raise _without_pixels(dataset)
    if pixels.tag != PIXEL_DATA:
        raise Refused("NOT_IMAGE", "The file holds a parametric map (floating point), not an image.")
    rows, columns = a.integer(dataset, "Rows"), a.integer(dataset, "Columns")
    bits = a.integer(dataset, "BitsAllocated")
    if not rows or not columns or not bits or min(rows, columns, bits) < 1 or max(rows, columns) > 65535:
        raise Refused(
            "BAD_MATRIX", "The file does not say how many rows and columns it has. Export it again."
        )
    if not pixels.length:
        raise Refused("NO_PIXELS", "The pixel data of the file is empty. Send the image again.")
    _require_length(part10, rows * columns, bits)


def _without_pixels(dataset: Dataset) -> Refused:
    described = str(UID(a.uid(dataset, "SOPClassUID")).name)
    if "Rows" not in dataset and "Columns" not in dataset:
        if "Image Storage" not in described:
            return Refused(
                SOP_CLASS,
                f"Objects of this kind ({described[:64]}) are not kept here. Send images and reports.",
            )
        return Refused("NOT_IMAGE", f"The file holds no image ({described}). Send the image itself.")
    if any(tag.group == 0x07A1 and tag.element & 0xFF == 0x11 for tag in dataset.keys()):  # noqa: SIM118
        return Refused(
            "NO_PIXELS",
            "The pixels are in a private element of the scanner (PMSCT_RLE1) that cannot be read. "
            "Export the image in a standard transfer syntax.",
        )
    return Refused("NO_PIXELS", "The file describes an image but holds no pixels. Send the image itself.")


def _require_length(part10: Part10, pixels: int, bits: int) -> None:
    """Native pixels must be as long as their header says; compressed ones must come in fragments."""
    dataset, element = part10.dataset, part10.pixels
    compressed = COMPRESSED.fullmatch(part10.transfer_syntax_uid) is not None
    if element is None or compressed != (element.fragments is not None):
        raise Refused(
            "DAMAGED", "The pixels are not stored as the transfer syntax says. Export the image again."
        )
    if compressed:
        return
    samples = a.integer(dataset, "SamplesPerPixel") or 1
    if a.text(dataset, "PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2
    bits_needed = pixels * samples * (a.integer(dataset, "NumberOfFrames") or 1) * bits
    if element.length * 8 < bits_needed:
        raise truncated()
