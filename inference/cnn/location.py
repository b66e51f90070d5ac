"""Where in the lungs a nodule lies: side, third of that lung's height, distance to the pleura."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.reading import Pleura, Side, Third
from scans.dicom.geometry import Triple
from scans.dicom.lungs import LungMask
from scans.dicom.orientation import Standard

THIN = (2, 6, 6)
CUT_MM2 = 2000.0
TISSUE_HU = -400
TOUCHING_MM = 1.0
BRIDGE_MM = 4.0
NEAR_MM = 5.0
MARGIN_MM = 12.0

Mask = NDArray[np.bool_]


def standard_mask(mask: Mask, placed: Standard) -> Mask:
    """A mask of the given volume in standard axis order."""
    turned = mask.transpose(placed.axes)
    return turned[tuple(slice(None, None, -1) if f else slice(None) for f in placed.flipped)]


@dataclass(frozen=True)
class LungSpace:
    """Both lungs in standard axis order (z to the head), with what places in them are measured by.

    `heights` is (lowest, highest) slice of the right and the left lung, None where the scan cuts it.
    """

    hu: NDArray[np.int16]
    both: Mask
    right: Mask
    spacing_mm: Triple
    thinned: NDArray[np.intp]
    heights: tuple[tuple[int, int] | None, tuple[int, int] | None]

    @classmethod
    def of(cls, lungs: LungMask, placed: Standard) -> LungSpace:
        both, right = standard_mask(lungs.mask, placed), standard_mask(lungs.right, placed)
        spacing = placed.geometry.spacing_mm
        areas = [s.sum(axis=(1, 2)) * spacing[1] * spacing[2] for s in (right, both & ~right)]
        thin = both[:: THIN[0], :: THIN[1], :: THIN[2]]
        return cls(
            placed.hu, both, right, spacing, np.argwhere(thin) * THIN, (_height(areas[0]), _height(areas[1]))
        )

    def side(self, index: NDArray[np.float64]) -> Side:
        """The lung that a place (z, y, x) lies in, or the nearer one."""
        if not len(self.thinned):
            return "right" if index[2] < self.both.shape[2] / 2 else "left"
        offset = (self.thinned - index) * self.spacing_mm
        nearest = self.thinned[int(np.argmin((offset**2).sum(axis=1)))]
        return "right" if self.right[tuple(nearest)] else "left"

    def third(self, index: NDArray[np.float64], side: Side) -> Third | None:
        """Upper, middle or lower third of the lung's height (not a lobe)."""
        height = self.heights[0 if side == "right" else 1]
        if height is None:
            return None
        share = (float(index[0]) - height[0]) / max(height[1] - height[0], 1)
        if share >= 2 / 3:
            return "upper"
        return "middle" if share >= 1 / 3 else "lower"

    def pleura(self, start: tuple[int, int, int], outline: Mask, side: Side) -> tuple[Pleura, float] | None:
        """Whether an outline is attached to the outer border of its lung, and its distance in mm.

        The border is that of the closed lung mask, whose voxels are about 2.5 mm wide: an outline that ends
        up to BRIDGE_MM before it counts as attached where tissue goes on from it to the border.
        """
        if not len(self.thinned):
            return None
        margin = np.ceil(MARGIN_MM / np.asarray(self.spacing_mm)).astype(int)
        low = np.maximum(np.asarray(start) - margin, 0)
        high = np.minimum(np.add(start, outline.shape) + margin, self.both.shape)
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        lung = self.right[box] if side == "right" else self.both[box] & ~self.right[box]
        placed = np.zeros(lung.shape, bool)
        placed[
            tuple(
                slice(int(s - a), int(s - a) + n) for s, a, n in zip(start, low, outline.shape, strict=True)
            )
        ] = outline
        inside = ndimage.distance_transform_edt(lung, sampling=self.spacing_mm)
        if lung.all():
            return "away", float(MARGIN_MM)
        distance = max(float(inside[placed].min()) - min(self.spacing_mm), 0.0)
        if distance <= TOUCHING_MM or (distance <= BRIDGE_MM and self._bridged(box, placed, lung)):
            return "attached", distance
        return ("near" if distance <= NEAR_MM else "away"), min(distance, MARGIN_MM)

    def _bridged(self, box: tuple[slice, ...], placed: Mask, lung: Mask) -> bool:
        """Whether tissue leads from the outline to the outside of the lung within BRIDGE_MM and a voxel."""
        beyond = ndimage.distance_transform_edt(~placed, sampling=self.spacing_mm)
        labels, _ = ndimage.label(
            placed | ((self.hu[box] > TISSUE_HU) & (beyond <= BRIDGE_MM + min(self.spacing_mm)))
        )
        joined = np.isin(labels, np.unique(labels[placed]))
        bridge = joined & ~placed & lung
        wall = joined & ~lung
        return bool(wall.any() and bridge.sum() >= 0.1 * placed.sum() ** (2 / 3))


def _height(areas_mm2: NDArray[np.float64]) -> tuple[int, int] | None:
    """Lowest and highest slice of a lung; None where the scan ends in more than CUT_MM2 of it."""
    slices = np.flatnonzero(areas_mm2)
    if not len(slices) or max(areas_mm2[0], areas_mm2[-1]) > CUT_MM2:
        return None
    return int(slices[0]), int(slices[-1])
