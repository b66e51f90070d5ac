"""Table E.1-1 of PS3.15: what the basic profile does with each attribute.

The table comes with the package dicom-anonymizer, which follows the editions of the standard; what is done
with it is ours.
"""

from __future__ import annotations

from enum import Enum
from functools import cache

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

EDITION = "dicomfields_2026c"
CURVES, OVERLAYS = 0x5000, 0x6000


class Action(Enum):
    """The letters of table E.1-1a; where it leaves a choice (Z/D, X/Z/D), the one that keeps files valid."""

    REMOVE = "X"
    EMPTY = "Z"
    REPLACE = "D"
    UID = "U"
    DESCEND = "U*"


ACTIONS = {
    "X_TAGS": Action.REMOVE,
    "Z_TAGS": Action.EMPTY,
    "X_Z_TAGS": Action.EMPTY,
    "D_TAGS": Action.REPLACE,
    "Z_D_TAGS": Action.REPLACE,
    "X_D_TAGS": Action.REPLACE,
    "X_Z_D_TAGS": Action.REPLACE,
    "U_TAGS": Action.UID,
    "X_Z_U_STAR_TAGS": Action.DESCEND,
}


def action_for(tag: int) -> Action | None:
    """What the basic profile does with a public attribute; None if it is kept.

    Curves and overlays (repeating groups 50xx and 60xx) go as a whole: they may hold burned-in text.
    """
    if tag >> 16 & 0xFF00 in (CURVES, OVERLAYS):
        return Action.REMOVE
    return _table().get(tag)


@cache
def _table() -> dict[int, Action]:
    groups = dicom_anonymization_database_selector(EDITION)
    return {
        (tag[0] << 16) | tag[1]: action
        for name, action in ACTIONS.items()
        for tag in groups[name]
        if len(tag) == 2
    }
