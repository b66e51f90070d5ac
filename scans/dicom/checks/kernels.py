"""Which reconstruction kernels enhance edges strongly (CLINICAL section 2, W_KERNEL)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum

# Maker -> pattern of sharp kernels. A site may pass a table of its own.
SHARP_KERNELS: Mapping[str, str] = {
    "SIEMENS": r"[A-Z][a-z]?[6-9]\d.*",
    "GE": r"(LUNG|BONE|EDGE).*",
    "PHILIPS": r"Y[AB].*",
    "TOSHIBA": r"FC[5-9]\d.*",
    "CANON": r"FC[5-9]\d.*",
}


class Sharpness(IntEnum):
    """Order of preference for measuring volumes: softer first."""

    SOFT = 0
    UNKNOWN = 1
    SHARP = 2


def sharpness(manufacturer: str, kernel: str, sharp: Mapping[str, str] = SHARP_KERNELS) -> Sharpness:
    """Class of a kernel; unknown if the kernel or the maker is not known."""
    name = kernel.split("\\", maxsplit=1)[0].strip()
    maker = next((known for known in sharp if known in manufacturer.upper()), None)
    if not name or maker is None:
        return Sharpness.UNKNOWN
    return Sharpness.SHARP if re.fullmatch(sharp[maker], name, re.IGNORECASE) else Sharpness.SOFT
