"""One finding from its outline and its rating: measures, character, place and doubt together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.character import character, place
from inference.cnn.doubt import calcium_doubt, edge_agreement, finding_doubt
from inference.cnn.location import LungSpace
from inference.cnn.malignancy import Rating
from inference.cnn.measures import measure
from inference.cnn.outlines import Outlined
from inference.cnn.reading import FoundNodule
from scans.dicom.geometry import Geometry
from scans.dicom.orientation import Standard


@dataclass(frozen=True)
class Scan:
    """What every finding of one scan is described with: the volume in standard axis order, lungs, threshold.

    Density, calcium and place are looked at in standard order: they do not depend on that of the file.
    """

    placed: Standard
    geometry: Geometry
    space: LungSpace
    threshold: float


def _part(geometry: Geometry, start: tuple[int, int, int], mask: NDArray[np.bool_]) -> Geometry:
    """The placement of an outline's box within a volume."""
    origin: Any = tuple(float(v) for v in geometry.to_mm(start))
    shape = (mask.shape[0], mask.shape[1], mask.shape[2])
    return Geometry(shape, geometry.spacing_mm, origin, geometry.direction)


def describe(found: Outlined, rating: Rating, scan: Scan) -> FoundNodule:
    """One finding, measured on the voxels of the volume that was given."""
    start, mask = scan.placed.back_box(found.start, found.mask)
    measures = measure(mask, _part(scan.geometry, start, mask))
    box = tuple(slice(s, s + n) for s, n in zip(found.start, found.mask.shape, strict=True))
    standard_part = _part(scan.placed.geometry, found.start, found.mask)
    traits = rating.traits
    kind, seen = character(scan.placed.hu[box], found.mask, standard_part, measures, traits)
    side, where = place(found, scan.placed.geometry.to_index(measures.center_mm), scan.space)
    return FoundNodule(
        center_mm=measures.center_mm,
        slice_index=start[0] + measures.slice_index,
        start=start,
        mask=mask,
        long_axis_mm=measures.long_axis_mm,
        short_axis_mm=measures.short_axis_mm,
        mean_diameter_mm=measures.mean_diameter_mm,
        volume_mm3=measures.volume_mm3,
        type=kind,
        side=side,
        p_nodule=found.judged.p_nodule,
        malignancy=rating.malignancy,
        malignancy_low=rating.low,
        malignancy_high=rating.high,
        character=replace(seen, third=where.third, pleura=where.pleura, pleura_mm=where.pleura_mm),
        doubt=finding_doubt(
            found.judged.p_nodule,
            scan.threshold,
            (rating.low, rating.high),
            edge_agreement(found.probability),
            calcium_doubt(seen.calcification or "none", traits.get("calcified")),
        ),
    )
