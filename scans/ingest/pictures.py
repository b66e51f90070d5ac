"""Plain pictures on their way in: they become DICOM before they are filed, on the same path as all else."""

from __future__ import annotations

from core.version import CODE_VERSION
from scans.dicom.objects.capture import write_capture
from scans.dicom.objects.identity import to_bytes
from scans.dicom.pictures import read_picture
from scans.dicom.refusal import Refused
from scans.ingest.arrivals import Refusal
from scans.storage import Spooled, spool

LARGEST_PICTURE_BYTES = 64 << 20


def as_capture(spooled: Spooled) -> Spooled | Refusal:
    """A picture file as Secondary Capture, or why it is refused."""
    if spooled.size > LARGEST_PICTURE_BYTES:
        limit = LARGEST_PICTURE_BYTES >> 20
        return Refusal("TOO_LARGE", f"The picture is larger than {limit} MB. Shrink it.")
    spooled.file.seek(0)
    content = spooled.file.read()
    try:
        made = write_capture(read_picture(content), content, CODE_VERSION)
    except Refused as refused:
        return Refusal(refused.code, refused.sentence)
    return spool([to_bytes(made)])
