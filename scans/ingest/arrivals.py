"""One file on its way in: its bytes, its header, or why it is refused."""

from __future__ import annotations

from dataclasses import dataclass

from scans.dicom.headers import Header, read_header
from scans.dicom.refusal import Refused
from scans.storage import Spooled

INSTANCES = "instances"


@dataclass(frozen=True)
class Arrival:
    """An image whose bytes are already durable under their hash."""

    header: Header
    sha256: str
    size: int


@dataclass(frozen=True)
class Refusal:
    """Why a file was not taken: a stable code and a sentence that says what to do next."""

    code: str
    sentence: str
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


def arrive(spooled: Spooled) -> Arrival | Refusal:
    """Read the header of a spooled file and make its bytes durable."""
    try:
        header = read_header(spooled.file)
    except Refused as refused:
        return Refusal(refused.code, refused.sentence)
    spooled.keep(INSTANCES)
    return Arrival(header, spooled.sha256, spooled.size)
