"""Nodules: where they come to lie and what they look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scans.dicom.phantom.anatomy import Anatomy, Array, cover
from scans.dicom.phantom.spec import NoduleSpec
from scans.dicom.phantom.trees import lung_points
from scans.dicom.phantom.tubes import Points, Tubes

SOLID_HU, GROUND_GLASS_HU = 38.0, -610.0
CORE_SHARE = 0.55
WIDEST = 2.5
CLEARANCE_MM = 9.0
CHOICES = 400


def place_nodules(
    anatomy: Anatomy, seed: int, nodules: tuple[NoduleSpec, ...], vessels: Tubes
) -> list[Points]:
    """Centres in body mm, clear of large vessels.

    They depend on seed, order and place only, so that priors fall on the same spot.
    """
    return [
        _center(anatomy, np.random.default_rng((seed, 5, k)), one, vessels) for k, one in enumerate(nodules)
    ]


def _center(anatomy: Anatomy, rng: np.random.Generator, nodule: NoduleSpec, vessels: Tubes) -> Points:
    side = -1 if nodule.place.startswith("R") else 1
    points = lung_points(anatomy, side, rng, 20000, 1.5 if nodule.pleural else 16)
    points = points[[_lobe(anatomy, side, point) == nodule.place for point in points]]
    if nodule.pleural:
        depth = np.array([_cavity(anatomy, point) for point in points])
        points = points[(depth > -4.5) & (depth < -1.5)]
    if not len(points):
        raise ValueError(f"There is no room for a nodule in {nodule.place}.")
    return np.asarray(points[int(np.argmax(_clearance(points[:CHOICES], vessels) > CLEARANCE_MM))])


def _clearance(points: Points, vessels: Tubes) -> NDArray[np.float64]:
    """Distance of each point to the nearest vessel of more than 1.2 mm radius (mm)."""
    large = vessels.start_radius > 1.2
    middle = (vessels.start[large] + vessels.end[large]) / 2
    apart = np.linalg.norm(points[:, None] - middle, axis=2) - vessels.start_radius[large]
    return np.asarray(apart.min(axis=1))


def _at(point: Points) -> tuple[Array, Array, float]:
    return np.array([point[0]], np.float32), np.array([point[1]], np.float32), float(point[2])


def _cavity(anatomy: Anatomy, point: Points) -> float:
    return float(anatomy.cavity(*_at(point))[0])


def _lobe(anatomy: Anatomy, side: int, point: Points) -> str:
    oblique, horizontal = (float(level[0]) for level in anatomy.fissure(*_at(point)))
    if abs(oblique) < 6:
        return "fissure"
    if side > 0:
        return "LUL" if oblique > 0 else "LLL"
    if oblique < 0:
        return "RLL"
    return "RUL" if horizontal > 0 else "RML"


def paint_nodule(
    hu: Array, nodule: NoduleSpec, center: Points, corner: Points, step: tuple[float, float, float], seed: int
) -> None:
    """Blend a nodule into a block of voxels (z, y, x) whose first voxel lies at `corner` (x, y, z mm)."""
    x, y, z = (
        np.arange(n, dtype=np.float32) * s + o - c
        for n, s, o, c in zip(hu.shape[::-1], step, corner, center, strict=True)
    )
    block = np.broadcast_arrays(x, y[:, None], z[:, None, None])
    radius = np.sqrt(block[0] ** 2 + block[1] ** 2 + block[2] ** 2) + 1e-6
    surface = _surface(nodule, [axis / radius for axis in block], np.random.default_rng((seed, 6)))
    level = np.asarray(radius - nodule.diameter_mm / 2 * surface, np.float32)
    if nodule.type == "solid":
        hu += cover(level, step[0]) * (SOLID_HU - hu)
        return
    haze = cover(level, 2.2 * step[0])
    hu += haze * np.maximum(GROUND_GLASS_HU - hu, 0) * 0.95
    if nodule.type == "part_solid":
        core = np.asarray(radius - CORE_SHARE * nodule.diameter_mm / 2 * surface, np.float32)
        hu += cover(core, 1.3 * step[0]) * (SOLID_HU - 25 - hu)


def _surface(nodule: NoduleSpec, way: list[Array], rng: np.random.Generator) -> Array:
    """Radius in each direction relative to a ball of the same volume."""
    axes = rng.normal(size=(22, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    along = [np.asarray(way[0] * a[0] + way[1] * a[1] + way[2] * a[2], np.float32) for a in axes]
    surface = 1 + 0.05 * (3 * along[0] ** 2 - 1)
    if nodule.margin == "lobulated":
        for cosine in along[1:6]:
            surface = surface + 0.20 * np.exp(7 * (cosine - 1)) - 0.014
    if nodule.margin == "spiculated":
        surface = surface + 0.04 * (3 * along[1] ** 2 - 1) - 0.02
        for cosine, height in zip(along, rng.uniform(0.4, 1.3, len(along)), strict=True):
            surface = surface + height * np.exp(120 * (cosine - 1))
    return np.asarray(surface, np.float32)
