"""The five studies of the demo: four invented patients, one of them with a prior."""

from __future__ import annotations

import datetime as dt

from scans.dicom.phantom.spec import NoduleSpec, PatientSpec, PhantomSpec, StudySpec

DAVIES = PatientSpec("DEMO-1001", "Davies^Marian", dt.date(1958, 4, 17), "F")
OKAFOR = PatientSpec("DEMO-1002", "Okafor^Samuel", dt.date(1951, 11, 2), "M")
LINDQVIST = PatientSpec("DEMO-1003", "Lindqvist^Åsa", dt.date(1963, 8, 25), "F")
MORETTI = PatientSpec("DEMO-1004", "Moretti^Paolo", dt.date(1955, 1, 30), "M")


def demo_specs() -> tuple[StudySpec, ...]:
    """A growing solid nodule with its prior, part-solid and non-solid ones, several in one lung, and none."""
    return (
        StudySpec(
            DAVIES,
            dt.date(2025, 9, 8),
            "DEMO-A-0001",
            PhantomSpec(11, scan=1, nodules=(_growing(8.0), _stable())),
        ),
        StudySpec(
            DAVIES,
            dt.date(2026, 3, 12),
            "DEMO-A-0002",
            PhantomSpec(11, scan=2, nodules=(_growing(12.0), _stable())),
        ),
        StudySpec(
            OKAFOR,
            dt.date(2026, 3, 10),
            "DEMO-A-0003",
            PhantomSpec(
                23,
                scan=1,
                nodules=(
                    NoduleSpec(18.0, "part_solid", "LUL", "lobulated"),
                    NoduleSpec(9.0, "non_solid", "RLL"),
                ),
            ),
        ),
        StudySpec(
            LINDQVIST,
            dt.date(2026, 3, 11),
            "DEMO-A-0004",
            PhantomSpec(
                38,
                scan=1,
                nodules=(
                    NoduleSpec(14.0, "non_solid", "RUL"),
                    NoduleSpec(10.0, "solid", "LLL", "lobulated"),
                    NoduleSpec(7.0, "solid", "RML", pleural=True),
                ),
                slices=226,
            ),
        ),
        StudySpec(MORETTI, dt.date(2026, 3, 12), "DEMO-A-0005", PhantomSpec(52, scan=1)),
    )


def _growing(diameter_mm: float) -> NoduleSpec:
    return NoduleSpec(diameter_mm, "solid", "RUL", "spiculated")


def _stable() -> NoduleSpec:
    return NoduleSpec(6.0, "solid", "LLL")
