"""What a nodule is like beside its size: density, calcium, fat, surface, place (CLINICAL 1.4 to 1.10)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inference.cnn.calcification import calcification, has_fat
from inference.cnn.location import LungSpace
from inference.cnn.malignancy import Rating
from inference.cnn.measures import Measures
from inference.cnn.outlines import Outlined
from inference.cnn.reading import Character, Margin, NoduleType, Side, Spiculation
from inference.cnn.texture import nodule_type, solid_part
from scans.dicom.geometry import Geometry

SOME_SPICULATION, MARKED_SPICULATION = 2.0, 3.5
FAIR_MARGIN, SHARP_MARGIN = 2.5, 4.0


def traits_of(rating: Rating) -> dict[str, float]:
    """The network's ratings on the scales of LIDC (1 to 5; calcified 0 to 1); missing ones stay missing."""
    given: Mapping[str, float] = getattr(rating, "traits", {})
    return dict(given)


def spiculation(rating: float | None) -> Spiculation | None:
    """In words: 1 is none, 5 marked. The limits lie between the steps of the scale (choice)."""
    if rating is None:
        return None
    if rating >= MARKED_SPICULATION:
        return "marked"
    return "some" if rating >= SOME_SPICULATION else "none"


def margin(rating: float | None) -> Margin | None:
    """In words: 5 is sharp, 1 poorly defined. The limits lie between the steps of the scale (choice)."""
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
    kind = nodule_type(hu, mask, spacing, traits.get("texture"))
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
