"""Kinds of DICOM objects, told by their SOP class (PS3.4 annex B.5)."""

from __future__ import annotations

import re

STORAGE = "1.2.840.10008.5.1.4.1.1."
CT_IMAGES = frozenset({f"{STORAGE}2", f"{STORAGE}2.1", f"{STORAGE}2.2"})
"""CT, enhanced CT, legacy converted enhanced CT."""

SEGMENTATIONS = frozenset({f"{STORAGE}66.4", f"{STORAGE}66.7"})
"""Pixel elements of these are labels, not images: segmentation, label map segmentation."""

_DOCUMENTS = re.compile(
    re.escape(STORAGE) + r"(88(\.\d+)+"  # structured reports, dose reports and key objects among them
    r"|104(\.\d+)+"  # encapsulated PDF, CDA, STL
    r"|11(\.\d+)+"  # presentation states
    r"|66\.[1235]"  # registrations, fiducials, surface segmentation
    r"|67|30"  # real world value map, parametric map
    r"|481(\.\d+)+)"  # radiotherapy
)
_SECONDARY_CAPTURE = re.compile(re.escape(STORAGE) + r"7(\.\d+)*")


def is_ct(sop_class_uid: str) -> bool:
    """Whether the object is a CT image, which a study is read from."""
    return sop_class_uid in CT_IMAGES


def is_document(sop_class_uid: str) -> bool:
    """Whether the object belongs to a CT archive without being an image."""
    return sop_class_uid in SEGMENTATIONS or _DOCUMENTS.fullmatch(sop_class_uid) is not None


def may_lack_pixels(sop_class_uid: str) -> bool:
    """Whether the object is whole without PixelData.

    Dose pages come as secondary captures without pixels (PS3.3 A.8 asks for them; scanners leave them out).
    """
    if sop_class_uid in SEGMENTATIONS:
        return False
    return is_document(sop_class_uid) or _SECONDARY_CAPTURE.fullmatch(sop_class_uid) is not None
