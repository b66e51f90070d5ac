"""What a nodule is like, in words for people: pure functions of a finding as it is stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reports.presentation import axes, half_up, join, percent

if TYPE_CHECKING:
    from inference.models import Finding

BENIGN = ("diffuse", "central", "laminated", "popcorn")
"""Patterns that guidelines call benign (CLINICAL 1.9)."""


def place(finding: Finding) -> str:
    """right lung, upper third: a third of the lung's height, never a lobe."""
    parts = (finding.get_side_display(), finding.get_third_display() if finding.third else "")
    return ", ".join(part for part in parts if part)


def solid_part(finding: Finding) -> str:
    """Mean diameter and axes of the solid part of a part-solid nodule."""
    if finding.type != finding.Type.PART_SOLID or finding.solid_mean_diameter_mm is None:
        return ""
    size = axes(finding.solid_long_axis_mm, finding.solid_short_axis_mm).removesuffix(" mm")
    return f"solid part {half_up(finding.solid_mean_diameter_mm, 1)} mm ({size})"


def surface(finding: Finding) -> str:
    """Spiculation and margin, where the network rates them."""
    return join(
        [
            finding.get_spiculation_display() if finding.spiculation else "",
            finding.get_margin_display() if finding.margin else "",
        ]
    )


def density(finding: Finding) -> str:
    """Calcium with its share of the outline, and fat."""
    return join(_density(finding))


def _density(finding: Finding) -> Iterator[str]:
    if finding.calcification:
        words = str(finding.get_calcification_display())
        share = finding.calcified_share
        yield words if finding.calcification == "none" or share is None else f"{words}, {percent(share)} %"
    if finding.fat is not None:
        yield "fat inside" if finding.fat else "no fat"


def pleura(finding: Finding) -> str:
    """Attached to, near or away from the outer border of the lung."""
    if not finding.pleura:
        return ""
    words = str(finding.get_pleura_display())
    return (
        words
        if finding.pleura_mm is None or finding.pleura != "near"
        else f"{words}, {finding.pleura_mm:.0f} mm"
    )


def for_report(finding: Finding, *, sized_by_reader: bool) -> list[str]:
    """What the draft of a report says beside type, place and size: only what was seen, nothing negative.

    The solid part is left out once a person has corrected size or type of the nodule.
    """
    said = ["" if sized_by_reader else solid_part(finding)]
    if finding.calcification not in ("", "none"):
        said.append(str(finding.get_calcification_display()))
    if finding.fat:
        said.append("fat inside")
    if finding.spiculation in ("some", "marked"):
        said.append(str(finding.get_spiculation_display()))
    if finding.pleura == "attached":
        said.append(str(finding.get_pleura_display()))
    return [part for part in said if part]
