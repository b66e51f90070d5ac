"""One file on its way in: its bytes, its header, or why it is refused."""

from __future__ import annotations

from dataclasses import dataclass

from scans.dicom.headers import Header, read_header
from scans.dicom.refusal import Refused
from scans.storage import Spooled

INSTANCES = "instances"


@dataclass(frozen=True)
class Arrival:
    """An object that can be filed once its bytes are durable under their hash."""

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


def identify(spooled: Spooled) -> Arrival | Refusal:
    """Read the header of a spooled file; its bytes are not durable yet."""
    try:
        header = read_header(spooled.file)
    except Refused as refused:
        return Refusal(refused.code, refused.sentence)
    return Arrival(header, spooled.sha256, spooled.size)


def arrive(spooled: Spooled) -> Arrival | Refusal:
    """Read the header of a spooled file and make its bytes durable."""
    arrival = identify(spooled)
    if isinstance(arrival, Arrival):
        spooled.keep(INSTANCES)
    return arrival
