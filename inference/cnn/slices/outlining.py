"""Nodules on one slice, found and outlined by the networks for whole scans in a slab made around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.candidates import Candidate, Limits, find_candidates
from inference.cnn.measures import measure
from inference.cnn.networks import LoadedNetworks
from inference.cnn.outlines import Outlined, outline_all
from inference.cnn.reduction import judge
from inference.cnn.slices.opening import Pair
from inference.cnn.slices.slab import SLICE_MM, SLICES, closed, slab
from scans.dicom.geometry import Geometry

SMOOTHING_PX = 0.7
MOST_CANDIDATES = 24
# In a slab every vessel that is cut across becomes a ball that the networks take for a nodule: on their own
# slices the three certain nodules of LIDC-IDRI-0003 came first or second, with a dozen such places behind.
MOST = 3
LEAST_P = 0.5

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PictureOutline:
    """One nodule: corners (x, y) in pixels, probability, and mean diameter where the scale is known."""

    points: tuple[Pair, ...]
    p_nodule: float
    diameter_mm: float | None


def outlines_on(
    hu: NDArray[np.int16], pixel_mm: Pair, lungs: Mask, networks: LoadedNetworks, *, measured: bool
) -> list[PictureOutline]:
    """Nodules on one slice (y, x), most probable first; `measured` says that `pixel_mm` is no assumption.

    At most MOST of them, each with a probability of at least LEAST_P.
    """
    volume, geometry = slab(hu, pixel_mm, lungs)
    spacing = geometry.spacing_mm
    inside = np.repeat(closed(lungs, pixel_mm)[None], SLICES, axis=0)
    limits = Limits(networks["candidates"].manifest["limits"]["score"], MOST_CANDIDATES)
    found = find_candidates(volume, spacing, inside, networks["candidates"], limits, lambda part: None)
    judged = judge(volume, spacing, [c for c in found if _on_slice(c)], networks["reduction"])
    likely = [j for j in judged if j.p_nodule >= LEAST_P][:MOST]
    drawn = (_outline(o, geometry, measured) for o in outline_all(volume, spacing, likely, networks))
    return [one for one in drawn if one is not None]


def _on_slice(candidate: Candidate) -> bool:
    """Whether the slice itself cuts through the candidate."""
    return abs(candidate.zyx_mm[0] - SLICES // 2 * SLICE_MM) <= max(candidate.diameter_mm / 2, 2.5)


def _outline(found: Outlined, geometry: Geometry, measured: bool) -> PictureOutline | None:
    """The outline where it crosses the slice itself; None where it does not."""
    at = SLICES // 2 - found.start[0]
    if not 0 <= at < found.mask.shape[0]:
        return None
    plane = found.mask[at]
    points = contour(plane, found.start[1], found.start[2])
    if len(points) < 3:
        return None
    part = Geometry((1, *plane.shape), geometry.spacing_mm, geometry.origin_mm)
    diameter = round(measure(plane[None], part).mean_diameter_mm, 1) if measured else None
    return PictureOutline(points, round(found.judged.p_nodule, 3), diameter)


def contour(mask: Mask, row: int, column: int) -> tuple[Pair, ...]:
    """The longest line around a mask (y, x) whose first pixel is (row, column), as corners (x, y).

    The centre of pixel (0, 0) lies at (0.5, 0.5), as in SVG.
    """
    from skimage.measure import approximate_polygon, find_contours

    if not mask.any():
        return ()
    room = np.pad(mask, 3).astype(np.float32)
    soft = ndimage.gaussian_filter(room, SMOOTHING_PX)
    lines = find_contours(soft, 0.45 * float(soft.max()))  # type: ignore[no-untyped-call]
    if not lines:
        return ()
    line = approximate_polygon(max(lines, key=len), 0.15)[:-1]  # type: ignore[no-untyped-call]
    return tuple((round(float(x) - 2.5 + column, 2), round(float(y) - 2.5 + row, 2)) for y, x in line)
