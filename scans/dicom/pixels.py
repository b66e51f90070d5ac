"""Pixels of CT images as Hounsfield units (DICOM PS3.3 C.11.1, CLINICAL section 1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from scans.dicom import attributes as a
from scans.dicom.image import Image, open_image
from scans.dicom.refusal import Refused, is_damage

AIR_HU = -1024
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def decode(source: BinaryIO | bytes, frame: int = 0) -> NDArray[np.int16]:
    """One frame of a CT image in HU (rows, columns); padding and anything below air become -1024.

    Raises
    ------
    Refused : the pixels cannot be decoded here, are damaged, or are not Hounsfield units.
    OSError : the storage failed, which says nothing about the pixels.
    """
    with damage_refused():
        image = open_image(source)
    return hounsfield(image, frame)


def hounsfield(image: Image, frame: int = 0) -> NDArray[np.int16]:
    """The same of an opened image, for files of many frames."""
    with damage_refused():
        if image.samples != 1:
            raise Refused("NOT_CT_PIXELS", "The image is in colour, so it holds no Hounsfield units.")
        return _to_hu(image.dataset, image.stored(frame), frame)


@contextmanager
def damage_refused() -> Iterator[None]:
    """Decoders raise anything from ValueError to a bare RuntimeError: all of it means damaged pixels."""
    try:
        yield
    except Refused:
        raise
    except BaseException as error:
        if not is_damage(error):
            raise
        raise Refused(
            "PIXELS_DAMAGED", "The pixels are damaged and cannot be decoded. Send it again."
        ) from error


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
