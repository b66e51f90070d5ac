"""What a nodule is like beside its size: density, calcium, fat, surface, place (CLINICAL 1.4 to 1.10)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inference.cnn.calcification import calcification, has_fat
from inference.cnn.location import LungSpace
from inference.cnn.measures import Measures
from inference.cnn.outlines import Outlined
from inference.cnn.reading import Character, Margin, NoduleType, Side, Spiculation
from inference.cnn.texture import nodule_type, solid_part
from scans.dicom.geometry import Geometry

SOME_SPICULATION, MARKED_SPICULATION = 2.0, 2.5
FAIR_MARGIN, SHARP_MARGIN = 2.95, 3.75
"""Where the network's ratings, which keep to the middle of the scale, part train nodules of at least three
readers in the shares in which the readers' means part at 2 and 3.5 (spiculation), 2.5 and 4 (margin)."""


def spiculation(rating: float | None) -> Spiculation | None:
    """A network's rating of 1 (none) to 5 (marked) in words."""
    if rating is None:
        return None
    if rating >= MARKED_SPICULATION:
        return "marked"
    return "some" if rating >= SOME_SPICULATION else "none"


def margin(rating: float | None) -> Margin | None:
    """A network's rating of 1 (poorly defined) to 5 (sharp) in words."""
    if rating is None:
        return None
    if rating >= SHARP_MARGIN:
        return "sharp"
    return "fair" if rating >= FAIR_MARGIN else "poor"


def character(
    hu: NDArray[np.int16],
    mask: NDArray[np.bool_],
    geometry: Geometry,
    measures: Measures,
    traits: Mapping[str, float],
) -> tuple[NoduleType, Character]:
    """Type and character from the HU inside an outline and the network's ratings; without the place."""
    spacing = geometry.spacing_mm
    kind = nodule_type(hu, mask, spacing)
    pattern, share = calcification(hu, mask, spacing)
    return kind, Character(
        solid=solid_part(hu, mask, geometry, measures) if kind == "part_solid" else None,
        calcification=pattern,
        calcified_share=share,
        fat=has_fat(hu, mask, spacing),
        spiculation=spiculation(traits.get("spiculation")),
        margin=margin(traits.get("margin")),
        traits=dict(traits),
    )


def place(outlined: Outlined, center: NDArray[np.float64], space: LungSpace) -> tuple[Side, Character]:
    """Side, and the character with nothing but the place."""
    side = space.side(center)
    near = space.pleura(outlined.start, outlined.mask, side)
    pleura, distance = near or (None, None)
    return side, Character(third=space.third(center, side), pleura=pleura, pleura_mm=distance)
