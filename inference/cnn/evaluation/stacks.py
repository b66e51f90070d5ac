"""A volume around a crop, since networks read volumes: reflected, or gone on with synthetic slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.cnn.evaluation.nodules import Case
from inference.cnn.training.bank import extended
from scans.dicom.geometry import Triple

IN_PLANE = 16
AT_MOST = 8
AROUND_MM = 20.0

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Stack:
    """`hu` int16 (z, y, x); voxel 0 of the crop, of shape `crop`, lies at `offset` (z, y, x; may be below 0).

    `field` is the part of `hu` that is image and not continuation.
    """

    hu: NDArray[np.int16]
    spacing_mm: Triple
    offset: tuple[int, int, int]
    crop: tuple[int, int, int]
    field: tuple[slice, slice, slice]

    def place_mm(self, voxel: NDArray[np.float64]) -> Triple:
        """mm along the volume's axes of a (fractional) voxel of the crop."""
        z, y, x = ((float(v) + o) * s for v, o, s in zip(voxel, self.offset, self.spacing_mm, strict=True))
        return (z, y, x)

    def voxel(self, zyx_mm: Triple) -> NDArray[np.float64]:
        """Fractional voxel of the crop at a place of the volume."""
        return np.asarray(zyx_mm) / np.asarray(self.spacing_mm) - np.asarray(self.offset)

    def in_field(self, voxel: NDArray[np.float64]) -> bool:
        """Whether a voxel of the crop belongs to the image."""
        at = np.rint(voxel).astype(int) + np.asarray(self.offset)
        return all(f.start <= int(v) < f.stop for f, v in zip(self.field, at, strict=True))

    def folded(self, zyx_mm: Triple) -> Triple:
        """The same place with its mirror images above and below the crop taken back into it."""
        last = self.crop[0] - 1
        z = self.voxel(zyx_mm)[0]
        z = abs(z) % (2 * last) if last else 0.0
        z = min(z, 2 * last - z)
        return ((float(z) + self.offset[0]) * self.spacing_mm[0], zyx_mm[1], zyx_mm[2])

    def on_crop(self, start: tuple[int, int, int], mask: Mask) -> Mask:
        """An outline of the volume, cut back to the crop."""
        out = np.zeros(self.crop, bool)
        first = np.subtract(start, self.offset)
        low = np.clip(first, 0, self.crop)
        high = np.clip(first + np.asarray(mask.shape), low, self.crop)
        inner = tuple(slice(a - f, b - f) for a, b, f in zip(low, high, first, strict=True))
        out[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = mask[inner]
        return out

    @property
    def field_ml(self) -> float:
        """Millilitres of image."""
        voxels = float(np.prod([f.stop - f.start for f in self.field]))
        return voxels * float(np.prod(self.spacing_mm)) / 1000


def _stack(hu: NDArray[np.generic], case: Case, offset: tuple[int, int, int], field: Triple3) -> Stack:
    whole = np.rint(hu).astype(np.int16)
    shape = case.nodule.hu.shape
    return Stack(whole, case.nodule.spacing_mm, offset, (shape[0], shape[1], shape[2]), field)


Triple3 = tuple[slice, slice, slice]


def _slices(offset: tuple[int, int, int], shape: tuple[int, ...]) -> Triple3:
    z, y, x = (slice(o, o + n) for o, n in zip(offset, shape, strict=True))
    return z, y, x


def reflected(case: Case) -> Stack:
    """Reflected by IN_PLANE pixels, and in z by as many slices as there are, AT_MOST at most."""
    hu = case.nodule.hu
    z = min(AT_MOST, hu.shape[0])
    offset = (z, IN_PLANE, IN_PLANE)
    padded = np.pad(hu, [(o, o) for o in offset], "reflect")
    return _stack(padded, case, offset, _slices(offset, hu.shape))


def gone_on(case: Case, rng: np.random.Generator) -> Stack:
    """Gone on in z with synthetic slices without the nodule; reflected in the plane.

    The outlines enter in one place: what they hold is taken out of the end slices before these are repeated.
    """
    hu, _ = extended(case.nodule, rng)
    z = (hu.shape[0] - case.nodule.hu.shape[0]) // 2
    padded = np.pad(hu, [(0, 0), (IN_PLANE, IN_PLANE), (IN_PLANE, IN_PLANE)], "reflect")
    offset = (z, IN_PLANE, IN_PLANE)
    return _stack(padded, case, offset, _slices(offset, case.nodule.hu.shape))


def windowed(case: Case, shift: tuple[int, int]) -> Stack:
    """The 64 x 64 window moved by `shift` (rows, columns), with AROUND_MM of reflection on all sides.

    Where the crop ends before the window does, and beyond its first and last slice, it is reflected too; only
    what the crop holds is `field`.
    """
    hu, (dy, dx) = case.nodule.hu, shift
    reach = max(abs(dy), abs(dx))
    wide = np.pad(hu, [(0, 0), (reach, reach), (reach, reach)], "reflect")
    rows, columns = (slice(reach + d, reach + d + n) for d, n in zip(shift, hu.shape[1:], strict=True))
    window = wide[:, rows, columns]
    pads = [int(np.ceil(AROUND_MM / s)) + 1 for s in case.nodule.spacing_mm]
    padded = np.pad(window, [(p, p) for p in pads], "reflect")
    offset = (pads[0], pads[1] - dy, pads[2] - dx)
    inside = [
        slice(p + max(-d, 0), p + n - max(d, 0)) for p, d, n in zip(pads, (0, dy, dx), hu.shape, strict=True)
    ]
    return _stack(padded, case, offset, (inside[0], inside[1], inside[2]))
