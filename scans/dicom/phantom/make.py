"""Make a phantom from its specification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scans.dicom.geometry import Geometry
from scans.dicom.phantom.anatomy import Anatomy, Array
from scans.dicom.phantom.bones import collar_bones
from scans.dicom.phantom.fields import SmoothField
from scans.dicom.phantom.nodules import WIDEST, paint_nodule, place_nodules
from scans.dicom.phantom.scanner import Scanner
from scans.dicom.phantom.spec import Phantom, PhantomSpec, Truth
from scans.dicom.phantom.tissue import BLOOD_HU, CONTRAST_HU, Coverage, Fields, Painter
from scans.dicom.phantom.trees import lung_vessels
from scans.dicom.phantom.tubes import Canvas, Points, Tubes

TABLE_Y_MM = 16.0


@dataclass(frozen=True)
class _Grid:
    """Where the voxels lie in body mm: the first one and the step, as x, y, z."""

    shape: tuple[int, int, int]
    origin: tuple[float, float, float]
    step: tuple[float, float, float]

    def axis(self, k: int) -> Array:
        return np.asarray(self.origin[k] + np.arange(self.shape[2 - k]) * self.step[k], np.float32)

    def canvas(self, tubes: Tubes) -> Canvas:
        canvas = Canvas(np.zeros(self.shape, np.uint8), self.origin, self.step)
        canvas.paint(tubes)
        return canvas


def make_phantom(spec: PhantomSpec) -> Phantom:
    """A synthetic chest CT; the same specification gives the same voxels."""
    anatomy = Anatomy.of(spec.anatomy)
    rng = np.random.default_rng((spec.anatomy, 3, spec.scan))
    grid = _grid(spec, rng)
    blood, airways = lung_vessels(anatomy, spec.anatomy)
    bone = collar_bones()
    tubes = [
        grid.canvas(part) for part in (blood, airways.grown(1.08, 0.45), airways, bone, bone.grown(1.0, -2.0))
    ]
    hu = _tissue(spec, anatomy, grid, [one.coverage for one in tubes])
    centers = place_nodules(anatomy, spec.anatomy, spec.nodules, blood)
    for k, center in enumerate(centers):
        _add_nodule(hu, spec, k, center, grid)
    exposed = _expose(hu, spec, rng, grid)
    geometry = _geometry(spec, rng)
    truth = [
        Truth(_lps(geometry, grid, center), one.diameter_mm, one.type, one.place, one.margin)
        for one, center in zip(spec.nodules, centers, strict=True)
    ]
    return Phantom(spec, exposed, geometry, tuple(truth))


def _grid(spec: PhantomSpec, rng: np.random.Generator) -> _Grid:
    """Centred on the chest; each scan lies a few millimetres off, as patients do."""
    half = (spec.size - 1) / 2 * spec.pixel_mm
    off = rng.uniform(-4, 4, 3)
    origin = (float(off[0] - half), float(off[1] + TABLE_Y_MM - half), float(off[2] / 4))
    step = (spec.pixel_mm, spec.pixel_mm, spec.increment_mm)
    return _Grid((spec.slices, spec.size, spec.size), origin, step)


def _geometry(spec: PhantomSpec, rng: np.random.Generator) -> Geometry:
    half = (spec.size - 1) / 2 * spec.pixel_mm
    corner = (round(-half + rng.uniform(-8, 8), 3), round(-half + rng.uniform(-8, 8), 3))
    spacing = (spec.increment_mm, spec.pixel_mm, spec.pixel_mm)
    return Geometry(
        (spec.slices, spec.size, spec.size), spacing, (*corner, round(rng.uniform(-420, -300), 2))
    )


def _lps(geometry: Geometry, grid: _Grid, center: Points) -> tuple[float, float, float]:
    index = (center - np.array(grid.origin)) / np.array(grid.step)
    x, y, z = geometry.to_mm(index[::-1])
    return float(x), float(y), float(z)


def _tissue(
    spec: PhantomSpec, anatomy: Anatomy, grid: _Grid, tubes: list[NDArray[np.uint8]]
) -> NDArray[np.float16]:
    rng = np.random.default_rng((spec.anatomy, 4))
    height = spec.slices * spec.increment_mm + 10
    fields = Fields(
        *(SmoothField(rng, scale, spec.size, spec.pixel_mm, height) for scale in (17.0, 5.0, 2.4))
    )
    blood_hu = CONTRAST_HU if spec.contrast else BLOOD_HU
    painter = Painter(anatomy, grid.axis(0), grid.axis(1), fields, blood_hu)
    hu = np.empty(grid.shape, np.float16)
    for k, z in enumerate(grid.axis(2)):
        slices = Coverage(*(volume[k].astype(np.float32) / 255 for volume in tubes))
        hu[k] = painter.paint(max(0.0, float(z)), slices)
    return hu


def _add_nodule(hu: NDArray[np.float16], spec: PhantomSpec, k: int, center: Points, grid: _Grid) -> None:
    nodule = spec.nodules[k]
    reach = nodule.diameter_mm / 2 * WIDEST + 3
    index = (center - np.array(grid.origin)) / np.array(grid.step)
    extent = reach / np.array(grid.step)
    low = np.maximum(np.floor(index - extent), 0).astype(int)
    high = np.minimum(np.ceil(index + extent) + 1, grid.shape[::-1]).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low[::-1], high[::-1], strict=True))
    block = hu[box].astype(np.float32)
    if block.size:
        corner = np.array(grid.origin) + low * np.array(grid.step)
        paint_nodule(block, nodule, center, corner, grid.step, spec.anatomy * 100 + k)
        hu[box] = block


def _expose(
    hu: NDArray[np.float16], spec: PhantomSpec, rng: np.random.Generator, grid: _Grid
) -> NDArray[np.int16]:
    scanner = Scanner(spec.size, spec.pixel_mm, spec.noise_hu, rng)
    exposed = np.empty(hu.shape, np.int16)
    for k, z in enumerate(grid.axis(2)):
        loud = float(1 + 0.9 * np.clip((z - 205) / 40, 0, 1) + 0.25 * np.clip((60 - z) / 50, 0, 1))
        exposed[k] = scanner.expose(hu[k].astype(np.float32), loud)
    return exposed
