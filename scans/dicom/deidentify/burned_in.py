"""Text in the pixels: which images may show a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scans.dicom import sop_classes

BURNED_IN, NOT_STATED = "burned_in", "not_stated"
TAG = "00280301"


def burned_in_risk(sop_class_uid: str, image_type: tuple[str, ...], dicom_json: Mapping[str, Any]) -> str:
    """`burned_in` for captures and images that say so, `not_stated` where nothing is said, else "".

    An original CT image is what the scanner measured: it is taken to be without text when nothing is said.
    """
    said = str(next(iter(dicom_json.get(TAG, {}).get("Value", [])), "")).upper()
    if sop_classes.is_document(sop_class_uid):
        return ""
    if said == "YES" or not sop_classes.is_ct(sop_class_uid):
        return BURNED_IN
    original = bool(image_type) and image_type[0].upper() == "ORIGINAL" and "LOCALIZER" not in image_type
    return "" if said == "NO" or original else NOT_STATED
