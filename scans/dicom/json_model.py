"""The DICOM JSON model of a data set (PS3.18 annex F), without bulk data and fit for a JSON column."""

from __future__ import annotations

import math
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement

from scans.dicom.json_fast import fast_model
from scans.dicom.person_names import decoded

LARGEST_BINARY = 1024
NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW"})


def dicom_json(dataset: Dataset) -> dict[str, Any]:
    """The public elements as tag -> {vr, Value}; values that cannot be written are left out."""
    model: dict[str, Any] = {}
    for tag, raw in list(dataset._dict.items()):  # iterating a Dataset converts all its elements
        if tag >> 16 & 1:  # private (PS3.5 section 7.8)
            continue
        quick = fast_model(raw) if isinstance(raw, RawDataElement) else None
        if quick is not None:
            model[f"{int(tag):08X}"] = quick
            continue
        element = _element(dataset, int(tag))
        if element is not None and not _is_bulk(element):
            model.update(_model_of(element))
    return model


def _element(dataset: Dataset, tag: int) -> DataElement | None:
    try:
        found = dataset[tag]
    except Exception:  # an undecodable value of one element leaves the rest of the header intact
        return None
    return None if isinstance(found, RawDataElement) else found


def _is_bulk(element: DataElement) -> bool:
    value = element.value
    return element.VR in BINARY and isinstance(value, bytes) and len(value) > LARGEST_BINARY


def _model_of(element: DataElement) -> dict[str, Any]:
    if element.VR == "PN":
        return {f"{int(element.tag):08X}": _names(element)}
    single = Dataset()
    try:
        single.add(element)
        written = single.to_json_dict(bulk_data_threshold=1 << 30, suppress_invalid_tags=True)
    except Exception:  # as above: one element that has no JSON form
        return {}
    return {tag: _storable(value) for tag, value in written.items()}


def _names(element: DataElement) -> dict[str, Any]:
    """Person names with their groups (PS3.18 F.2.2), decoded as everywhere else in the house."""
    names = element.value if element.VM > 1 else [element.value] if element.value else []
    groups = [dict(zip(NAME_GROUPS, decoded(name).split("="), strict=False)) for name in names]
    values = [_storable({key: part for key, part in one.items() if part}) for one in groups]
    return {"vr": "PN", "Value": values} if any(values) else {"vr": "PN"}


def _storable(value: Any) -> Any:
    """Without what JSON columns refuse: NUL characters, NaN and infinities."""
    if isinstance(value, dict):
        return {key: _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
