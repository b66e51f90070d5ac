"""Training patches: real lungs with real nodules of other patients set into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.training.augment import USUAL, Chances, vary
from inference.cnn.training.bank import Implant
from inference.cnn.training.whole import WholeScan

Vector = NDArray[np.float64]
Rng = np.random.Generator
GAP_MM = 4.0


@dataclass(frozen=True)
class Mark:
    """A place in a patch: centre in voxels (z, y, x), diameter in mm, nodule or ignored."""

    center: Vector
    diameter_mm: float
    nodule: bool


@dataclass
class Patch:
    """Float HU and the votes of the readers (0..1) with the marks in it; what is not `own` counts for
    nothing."""

    hu: NDArray[np.float32]
    lungs: NDArray[np.bool_]
    votes: NDArray[np.float32]
    marks: list[Mark] = field(default_factory=list)
    own: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Pose:
    """How an implant is turned, mirrored and scaled: entry offset = matrix @ host offset in mm."""

    matrix: NDArray[np.float64]

    def outward(self, direction: Vector) -> Vector:
        """A direction of the implant, as it points in the host."""
        turned = np.linalg.inv(self.matrix) @ direction
        return np.asarray(turned / max(float(np.linalg.norm(turned)), 1e-9))


def random_pose(rng: Rng, scale: float) -> Pose:
    """Mirrored along any axis and turned in the plane of the slice."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Pose(np.diag(rng.choice([-1.0, 1.0], 3)) @ turn / scale)


class Host:
    """One scan with places to set nodules: inside the lungs and on their border, with outward normals."""

    def __init__(self, scan: WholeScan, rng: Rng, count: int = 20000) -> None:
        self.scan, self.step = scan, scan.spacing_mm[0]
        depth = ndimage.distance_transform_edt(scan.lungs) * self.step
        self.depth = depth.astype(np.float32)
        self.inside = self._some(np.argwhere(depth > 2), rng, count)
        self.border = self._some(np.argwhere((depth > 0) & (depth <= 1.5 * self.step)), rng, count)
        self.normals = self._outward()
        self.ml = float(scan.lungs.sum()) * self.step**3 / 1000

    @staticmethod
    def _some(points: NDArray[np.intp], rng: Rng, count: int) -> Vector:
        chosen = rng.choice(len(points), min(count, len(points)), replace=False)
        return points[chosen].astype(float)

    def _outward(self) -> Vector:
        soft = ndimage.gaussian_filter(self.scan.lungs.astype(np.float32), 3)
        at = tuple(self.border.astype(int).T)
        normals = -np.stack([np.gradient(soft, axis=a)[at] for a in range(3)], axis=-1)
        return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6))

    def crop(self, start: NDArray[np.intp], size: int) -> Patch:
        """Cube from `start`; beyond the scan the edge repeats."""
        hu, lungs = (self._cut(a, start, size) for a in (self.scan.hu, self.scan.lungs))
        marks = [
            Mark(self.scan.index(lesion) - start, lesion.diameter_mm, lesion.kind == "nodule")
            for lesion in self.scan.lesions
            if lesion.kind != "other"
        ]
        patch = Patch(hu.astype(np.float32), lungs.astype(bool), np.zeros(hu.shape, np.float32))
        patch.marks = [m for m in marks if (m.center > -8).all() and (m.center < size + 8).all()]
        return patch

    @staticmethod
    def _cut(values: NDArray[np.generic], start: NDArray[np.intp], size: int) -> NDArray[np.generic]:
        index = [np.clip(np.arange(s, s + size), 0, n - 1) for s, n in zip(start, values.shape, strict=True)]
        return values[np.ix_(*index)]


def _box(center: Vector, half: float, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    low = np.clip(np.floor(center - half), 0, size).astype(int)
    return low, np.clip(np.ceil(center + half), low, size).astype(int)


def _ball(
    low: NDArray[np.intp], high: NDArray[np.intp], center: Vector, radius: float, fade: float
) -> NDArray[np.float32]:
    """1 within the radius (voxels), falling to 0 over `fade` voxels more."""
    axes = [(np.arange(a, b) - c) ** 2 for a, b, c in zip(low, high, center, strict=True)]
    distance = np.sqrt(axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :])
    return np.asarray(np.clip(1 - (distance - radius) / fade, 0, 1), np.float32)


def set_in(patch: Patch, entry: Implant, center: Vector, pose: Pose, step: float, reach_mm: float) -> None:
    """Blend one nodule into the patch, with `reach_mm` of its own surroundings."""
    scale = 1 / float(np.linalg.norm(pose.matrix[0]))
    radius = (entry.longest_mm / 2 * scale + reach_mm) / step
    low, high = _box(center, radius + GAP_MM / step, patch.hu.shape[0])
    if (high <= low).any():
        return
    matrix = pose.matrix * step
    offset = entry.center + matrix @ (low - center)
    shape = tuple(high - low)
    where = tuple(slice(a, b) for a, b in zip(low, high, strict=True))

    def sampled(values: NDArray[Any], outside: float) -> NDArray[np.float32]:
        return np.asarray(
            ndimage.affine_transform(
                values, matrix, offset, shape, output=np.float32, order=1, mode="constant", cval=outside
            )
        )

    alpha = sampled(entry.alpha, 0) / 255 * _ball(low, high, center, radius, GAP_MM / step)
    patch.hu[where] += alpha * (sampled(entry.hu, -1000) - patch.hu[where])
    patch.votes[where] = np.maximum(patch.votes[where], sampled(entry.votes, 0) / 255 * (alpha > 0.5))
    patch.marks.append(Mark(center.copy(), entry.diameter_mm * scale, True))


class Sampler:
    """Draws patches with zero to three implants from a set of hosts."""

    def __init__(
        self, hosts: list[Host], bank: list[Implant], *, size: int, chances: Chances = USUAL
    ) -> None:
        self.chances = chances
        self.hosts, self.bank, self.size = hosts, bank, size
        self.step = hosts[0].step
        weight = np.array([min(max(e.diameter_mm, 4), 24) ** 0.5 * (len(e.malignancy) + 1) for e in bank])
        self.weight = weight / weight.sum()
        share = np.sqrt([h.ml for h in hosts])
        self.share = share / share.sum()
        self.large = [e for e in bank if e.diameter_mm > 14]

    def host(self, rng: Rng) -> Host:
        return self.hosts[int(rng.choice(len(self.hosts), p=self.share))]

    def _entry(self, rng: Rng) -> tuple[Implant, float]:
        """A nodule and its scale; one in eight is a large one grown to a mass."""
        if self.large and rng.random() < 0.12:
            entry = self.large[int(rng.integers(len(self.large)))]
            return entry, float(rng.uniform(1.3, 3.5))
        entry = self.bank[int(rng.choice(len(self.bank), p=self.weight))]
        return entry, float(np.exp(rng.normal(0, 0.15))) if rng.random() < self.chances["scale"] else 1.0

    def place(self, rng: Rng, host: Host, entry: Implant, scale: float) -> tuple[Vector, Pose]:
        """A centre in the host and a pose: nodules of the wall go to the wall, the dense side outwards."""
        if not entry.wall.any():
            point = host.inside[int(rng.integers(len(host.inside)))]
            return point + rng.uniform(-0.5, 0.5, 3), random_pose(rng, scale)
        k = int(rng.integers(len(host.border)))
        poses = [random_pose(rng, scale) for _ in range(12)]
        best = max(poses, key=lambda p: float(p.outward(entry.wall) @ host.normals[k]))
        depth = entry.diameter_mm * scale / 2 * rng.uniform(0.6, 1.1) / self.step
        return host.border[k] - host.normals[k] * depth, best

    def _clear(self, patch: Patch, center: Vector, diameter_mm: float) -> bool:
        """Whether a nodule fits here without touching another one."""
        for mark in patch.marks:
            gap = float(np.linalg.norm(mark.center - center)) * self.step
            if gap < (mark.diameter_mm + diameter_mm) / 2 + 6:
                return False
        return True

    def implanted(self, rng: Rng, *, jitter_mm: float, more: int = 2) -> Patch:
        """A patch around one implant, with up to `more` others where they happen to fall in."""
        host = self.host(rng)
        entry, scale = self._entry(rng)
        center, pose = self.place(rng, host, entry, scale)
        shift = rng.uniform(-jitter_mm, jitter_mm, 3) / self.step
        start = np.rint(center + shift - self.size / 2).astype(int)
        patch = host.crop(start, self.size)
        reach = float(rng.uniform(2, 10))
        if self._clear(patch, center - start, entry.diameter_mm * scale):
            set_in(patch, entry, center - start, pose, self.step, reach)
        for _ in range(int(rng.integers(0, more + 1))):
            self._another(rng, host, patch, start)
        return patch

    def _another(self, rng: Rng, host: Host, patch: Patch, start: NDArray[np.intp]) -> None:
        """One more nodule somewhere in the patch."""
        entry, scale = self._entry(rng)
        near = np.flatnonzero(((host.inside > start + 4) & (host.inside < start + self.size - 4)).all(axis=1))
        if scale > 1.3 or not len(near) or entry.wall.any():
            return
        center = host.inside[int(rng.choice(near))] - start
        if self._clear(patch, center, entry.diameter_mm * scale):
            set_in(patch, entry, center, random_pose(rng, scale), self.step, float(rng.uniform(2, 6)))

    def plain(self, rng: Rng, point: Vector | None = None, host: Host | None = None) -> Patch:
        """Lung as it is, around a random point of the lungs or of their border, or around a given point."""
        host = host or self.host(rng)
        if point is None:
            places = host.inside if rng.random() < 0.6 else host.border
            point = places[int(rng.integers(len(places)))]
        return host.crop(np.rint(point - self.size / 2).astype(int), self.size)

    def decoy(self, rng: Rng, patch: Patch, center: Vector) -> None:
        """Lung of another host set in like a nodule, so that a seam alone means nothing."""
        other = self.host(rng)
        half = float(rng.uniform(6, 16)) / self.step
        point = other.inside[int(rng.integers(len(other.inside)))]
        donor = other.crop(np.rint(point - self.size / 2).astype(int), self.size)
        if any(np.linalg.norm(m.center - self.size / 2) < half + 10 for m in donor.marks):
            return
        if not self._clear(patch, center, 2 * half * self.step):
            return
        low, high = _box(center, half, self.size)
        where = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        alpha = _ball(low, high, center, half * 0.7, half * 0.3)
        flipped = donor.hu[::-1, :, ::-1] if rng.random() < 0.5 else donor.hu[:, ::-1, :]
        moved = np.roll(flipped, tuple(np.rint(center - self.size / 2).astype(int)), (0, 1, 2))
        patch.hu[where] += alpha * (moved[where] - patch.hu[where])

    def vary(self, rng: Rng, patch: Patch) -> Patch:
        """Other scanner, kernel, dose and slice thickness; the marks stay."""
        patch.hu = vary(rng, patch.hu, self.step, self.chances)
        return patch
