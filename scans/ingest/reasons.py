"""How the standard names an outcome: PS3.18 table 10.5.3-2 and PS3.4 annexes B.2.3 and GG."""

from __future__ import annotations

from scans.dicom.acceptance import SOP_CLASS
from scans.ingest.receive import TO_BE_DELETED, Outcome, Receipt
from scans.ingest.room import FULL
from scans.models import Quarantined

PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
SOP_CLASS_NOT_SUPPORTED = 0x0122
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

NOT_OF_THIS_STUDY = "NOT_THIS_STUDY"
TOO_LARGE = "TOO_LARGE"

_OF_CODE = {
    SOP_CLASS: SOP_CLASS_NOT_SUPPORTED,
    NOT_OF_THIS_STUDY: DOES_NOT_MATCH,
    TO_BE_DELETED: PROCESSING_FAILURE,
    "DECIDED": PROCESSING_FAILURE,
    TOO_LARGE: OUT_OF_RESOURCES,
    **dict.fromkeys(FULL, OUT_OF_RESOURCES),
}


def failure_reason(receipt: Receipt) -> int:
    """The failure reason of a file that was not stored.

    Other bytes under a known UID are a duplicate SOP instance; an object that contradicts its patient or
    study does not match. Nothing that is stored is ever coerced, so the warning 0xB000 is not needed.
    """
    if receipt.outcome == Outcome.QUARANTINED:
        other_bytes = receipt.code == Quarantined.Reason.OTHER_BYTES.upper()
        return DUPLICATE_INSTANCE if other_bytes else DOES_NOT_MATCH
    return _OF_CODE.get(receipt.code, CANNOT_UNDERSTAND)
