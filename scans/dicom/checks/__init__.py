"""Acquisition checks before a network reads a series (CLINICAL section 2)."""

from scans.dicom.checks.acquisition import Acquisition, summarise
from scans.dicom.checks.check import Check, as_check, reason, refuse
from scans.dicom.checks.choice import Candidate, choose_series
from scans.dicom.checks.header_checks import check_acquisition, check_header_set, check_pair
from scans.dicom.checks.parts import check_parts
from scans.dicom.checks.volume_checks import check_volume

__all__ = [
    "Acquisition",
    "Candidate",
    "Check",
    "as_check",
    "check_acquisition",
    "check_header_set",
    "check_pair",
    "check_parts",
    "check_volume",
    "choose_series",
    "reason",
    "refuse",
    "summarise",
]
