"""The frames of an enhanced CT as if each were an image of its own (PS3.3 A.38 and C.7.6.16)."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, BinaryIO

from pydicom import Dataset

from scans.dicom import attributes as a
from scans.dicom.headers import Header, intensity, placement
from scans.dicom.part10 import open_part10
from scans.dicom.pixels import damage_refused

MULTI_FRAME_CT = frozenset({"1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})
PER_FRAME = "PerFrameFunctionalGroupsSequence"


def is_multi_frame_ct(header: Header) -> bool:
    """Whether the instance may hold a stack of slices described by functional groups."""
    return header.sop_class_uid in MULTI_FRAME_CT


def frame_headers(header: Header, source: BinaryIO | bytes) -> tuple[Header, ...]:
    """One header a frame, with its own place, orientation, spacing, rescale, type and kernel.

    Parameters
    ----------
    header : of the whole instance, as `read_header` gives it.
    source : its file; the pixels are not read.

    Returns
    -------
    The header alone, unchanged, if the file does not describe each of its frames.

    Raises
    ------
    Refused : the file is damaged.
    """
    with damage_refused():
        dataset = open_part10(io.BytesIO(source) if isinstance(source, bytes) else source).dataset
        if len(a.values(dataset, PER_FRAME)) != header.number_of_frames:
            return (header,)
        return tuple(_of_frame(header, dataset, k) for k in range(header.number_of_frames))


def _of_frame(header: Header, dataset: Dataset, k: int) -> Header:
    return replace(
        header,
        **{
            **placement(dataset, k),
            **intensity(dataset, header.transfer_syntax_uid, k),
            **_acquisition(header, dataset, k),
            "instance_number": k + 1,
        },
        number_of_frames=1,
        frame=k,
        dicom_json={},
    )


def _acquisition(header: Header, dataset: Dataset, k: int) -> dict[str, Any]:
    kind = a.texts(a.in_groups(dataset, "CTImageFrameTypeSequence", k), "FrameType")
    kernel = a.text(a.in_groups(dataset, "CTReconstructionSequence", k), "ConvolutionKernel")
    number = a.integer(a.in_groups(dataset, "FrameContentSequence", k), "FrameAcquisitionNumber")
    region = a.values(a.in_groups(dataset, "FrameAnatomySequence", k), "AnatomicRegionSequence")
    return {
        "image_type": kind or header.image_type,
        "convolution_kernel": kernel or header.convolution_kernel,
        "acquisition_number": header.acquisition_number if number is None else number,
        "body_part": header.body_part or (a.text(region[0], "CodeMeaning") if region else ""),
    }
