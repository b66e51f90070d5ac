"""Vessels and airways of the lungs, grown from the hila, and the great vessels between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scans.dicom.phantom.anatomy import HILUM_MM, TRACHEA_SPLIT_MM, Anatomy
from scans.dicom.phantom.tubes import Path, Points, Tubes

TWIG_MM = 0.5
MURRAY = 2.8
ARTERY_TWIGS, VEIN_TWIGS = 1100, 900


def lung_points(anatomy: Anatomy, side: int, rng: np.random.Generator, count: int, inset: float) -> Points:
    """Random points (n, 3) in one lung (-1 right, 1 left), at least `inset` mm below its surface."""
    found: list[Points] = []
    for z in np.arange(14, 250, 4.0):
        x = (side * rng.uniform(0, 150, 700)).astype(np.float32)
        y = rng.uniform(-105, 105, 700).astype(np.float32)
        inside = anatomy.lung(x, y, float(z)) < -inset
        height = np.full(int(inside.sum()), z) + rng.uniform(-2, 2, int(inside.sum()))
        found.append(np.stack([x[inside], y[inside], height], axis=1).astype(float))
    points = np.concatenate(found)
    return points[rng.choice(len(points), min(count, len(points)), replace=False)]


def grow(root: Points, targets: Points) -> tuple[Points, NDArray[np.int64]]:
    """A tree from `root` to all targets: nodes (n, 3) and the parent of each (-1 for the root).

    Targets are joined from near to far, each to the node that lies on its way outwards.
    """
    order = np.argsort(np.linalg.norm(targets - root, axis=1))
    nodes = np.concatenate([root[None], targets[order]])
    outward = np.linalg.norm(nodes - root, axis=1)
    way = np.zeros(len(nodes))
    parents = np.full(len(nodes), -1)
    for index in range(1, len(nodes)):
        apart = np.linalg.norm(nodes[:index] - nodes[index], axis=1)
        cost = (
            apart * 1.0
            + 0.35 * (way[:index] + apart)
            + 0.4 * np.maximum(0, apart - outward[index] + outward[:index])
        )
        parents[index] = int(np.argmin(cost))
        way[index] = way[parents[index]] + apart[parents[index]]
    return nodes, parents


def radii(parents: NDArray[np.int64], twig_mm: float) -> NDArray[np.float64]:
    """Radius of each node after Murray: the powers of the branches add up."""
    load = np.ones(len(parents))
    for index in range(len(parents) - 1, 0, -1):
        load[parents[index]] += load[index]
    return np.asarray(twig_mm * load ** (1 / MURRAY))


def bent(
    nodes: Points, parents: NDArray[np.int64], radius: NDArray[np.float64], rng: np.random.Generator
) -> Tubes:
    """The tree as tubes, each branch bent a little in its middle."""
    child = np.arange(1, len(nodes))
    start, end = nodes[parents[1:]], nodes[child]
    length = np.linalg.norm(end - start, axis=1, keepdims=True)
    middle = (start + end) / 2 + rng.normal(0, 0.06, start.shape) * length
    thick = np.minimum(radius[parents[1:]], 1.25 * radius[child])
    half = (thick + radius[child]) / 2
    return Tubes(start, middle, thick, half) + Tubes(middle, end, half, radius[child])


def lung_vessels(anatomy: Anatomy, seed: int) -> tuple[Tubes, Tubes]:
    """Vessels of both lungs and between them, and the lumen of the airways beside the larger arteries."""
    blood, airways = great_vessels(), trachea()
    for side, hilum in HILUM_MM.items():
        rng = np.random.default_rng((seed, 2, side + 1))
        root = np.array(hilum)
        nodes, parents = grow(root, lung_points(anatomy, side, rng, ARTERY_TWIGS, 4))
        thickness = radii(parents, TWIG_MM)
        arteries = bent(nodes, parents, thickness, rng)
        atrium = np.array([side * 30.0, 16, 128])
        veins_nodes, veins_parents = grow(atrium, lung_points(anatomy, side, rng, VEIN_TWIGS, 4))
        veins = bent(veins_nodes, veins_parents, radii(veins_parents, TWIG_MM), rng)
        blood = blood + arteries + veins
        airways = airways + _beside(nodes, parents, thickness)
    return blood, airways


def _beside(nodes: Points, parents: NDArray[np.int64], radius: NDArray[np.float64]) -> Tubes:
    """Airways beside all arteries of more than 1.7 mm, shifted by their own width."""
    child = np.arange(1, len(nodes))
    wide = child[radius[1:] > 1.7]
    lumen = 0.62 * np.minimum(radius, 6)
    shift = np.stack([0.9 * radius, 1.1 * radius, 0.4 * radius], axis=1) * 1.35
    moved = nodes + shift * np.array([1, -1, 1])
    moved[0] = nodes[0]
    return Tubes(
        moved[parents[wide]], moved[wide], np.minimum(lumen[parents[wide]], 1.3 * lumen[wide]), lumen[wide]
    )


def trachea() -> Tubes:
    """Lumen of windpipe and main bronchi."""
    split = (0.0, 26.0, TRACHEA_SPLIT_MM, 7.5)
    right, left = HILUM_MM[-1], HILUM_MM[1]
    return (
        Tubes.along([(0, 4, 290, 8.5), (1, 12, 225, 8.5), (0, 24, 178, 8.6), split])
        + Tubes.along([split, (-20, 24, 160, 6.5), (*right, 5.0)])
        + Tubes.along([split, (20, 25, 163, 6.0), (*left, 4.6)])
    )


def great_vessels() -> Tubes:
    """Aorta, pulmonary arteries, veins to the atrium, upper caval vein and the vessels to head and arms."""
    right, left = HILUM_MM[-1], HILUM_MM[1]
    arch: Path = [(-10.0, -22.0, 118.0, 15.0), (-15, -24, 160, 15.5), (-12, -18, 183, 15), (4, 0, 194, 14)]
    arch += [(20, 26, 192, 13), (25, 42, 180, 12.5), (25, 46, 150, 12), (23, 45, 70, 11.5), (12, 40, -10, 11)]
    trunk = (14.0, -22.0, 152.0, 13.0)
    paths: list[Path] = [
        arch,
        [(12, -34, 128, 13), trunk, (30, 2, 163, 11), (*left, 8.5)],
        [trunk, (-8, 2, 152, 11), (*right, 9.0)],
        [(-27, -10, 120, 9.5), (-27, -13, 170, 9.5), (-24, -16, 205, 8.5)],
        [(-24, -16, 205, 8), (-26, -12, 240, 7), (-60, -12, 268, 6)],
        [(-24, -16, 205, 7), (6, -26, 216, 6.5), (24, -16, 240, 6.5), (62, -12, 268, 6)],
        [(-6, -6, 198, 6.5), (-18, -2, 222, 6), (-26, 2, 285, 4.5)],
        [(6, 4, 200, 4.5), (14, 4, 228, 4), (22, 2, 285, 4)],
        [(14, 14, 200, 5.5), (20, 14, 240, 5), (50, 10, 270, 5)],
        [(-11, 28, 165, 4), (-9, 28, 60, 3.5), (-9, 27, -10, 3.5)],
    ]
    total = Tubes.along(paths[0])
    for path in paths[1:]:
        total = total + Tubes.along(path)
    return total
