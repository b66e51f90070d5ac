"""The shapes of a chest as level functions: about mm to the surface, negative inside.

Body coordinates in mm: x to the patient's left, y to the back, z to the head, 0 on the axis of the chest and
at the lowest slice. Everything is scaled per patient, so that no two chests are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
FULLNESS = 2.3
APEX_MM = 254.0
TRACHEA_SPLIT_MM = 172.0
HILUM_MM = {-1: (-44.0, 12.0, 150.0), 1: (44.0, 14.0, 156.0)}


def smooth_max(a: Array, b: Array, k: float) -> Array:
    """The larger level with a rounding of about `k` mm: the intersection of two shapes."""
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.asarray(np.maximum(a, b) + h * h * (k / 4), np.float32)


def smooth_min(a: Array, b: Array, k: float) -> Array:
    """The smaller level, rounded: the union of two shapes."""
    return -smooth_max(-a, -b, k)


def ellipse(x: Array, y: Array, center: tuple[float, float], half: tuple[float, float]) -> Array:
    """Level of an ellipse; exact on its surface, good near it."""
    u, v = (x - center[0]) / half[0], (y - center[1]) / half[1]
    rho = np.sqrt(u * u + v * v) + 1e-6
    slope = np.sqrt((u / half[0]) ** 2 + (v / half[1]) ** 2) + 1e-9
    return np.asarray((rho - 1) * rho / slope, np.float32)


def rounded_box(x: Array, y: Array, center: tuple[float, float], half: tuple[float, float]) -> Array:
    """Level of an ellipse with fuller corners (a superellipse), the outline of a chest."""
    u, v = np.abs(x - center[0]) / half[0] + 1e-6, np.abs(y - center[1]) / half[1] + 1e-6
    rho = (u**FULLNESS + v**FULLNESS) ** (1 / FULLNESS)
    slope = rho ** (1 - FULLNESS) * np.hypot(u ** (FULLNESS - 1) / half[0], v ** (FULLNESS - 1) / half[1])
    return np.asarray((rho - 1) / slope, np.float32)


def tilted(
    x: Array, y: Array, center: tuple[float, float], half: tuple[float, float], degrees: float
) -> Array:
    """Level of an ellipse turned by `degrees`, its long axis from front right to back left if positive."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    dx, dy = x - center[0], y - center[1]
    return ellipse(c * dx + s * dy, c * dy - s * dx, (0, 0), half)


def cover(level: Array, width_mm: float) -> Array:
    """Share of each voxel inside a shape, from its level."""
    return np.asarray(np.clip(0.5 - level / width_mm, 0, 1), np.float32)


def _taper(z: float) -> tuple[float, float]:
    """How much the chest narrows at height `z`, and how far its axis lies back (mm)."""
    t = (z - 60) / (APEX_MM - 60)
    up = max(0.02, 1 - (max(0.0, t - 0.22) / 0.86) ** 2.6)
    return float(np.sqrt(up)), 2 + 10 * max(t, 0.0) ** 2


@dataclass(frozen=True)
class Anatomy:
    """One patient. Lengths in mm, drawn once per seed."""

    width: float
    depth: float
    fat: float
    heart: float
    dome_right: float
    dome_left: float
    wave: tuple[float, ...]

    @classmethod
    def of(cls, seed: int) -> Anatomy:
        rng = np.random.default_rng((seed, 1))
        return cls(
            width=rng.uniform(0.93, 1.03),
            depth=rng.uniform(0.92, 1.05),
            fat=rng.uniform(7, 17),
            heart=rng.uniform(0.9, 1.05),
            dome_right=rng.uniform(74, 90),
            dome_left=rng.uniform(62, 76),
            wave=tuple(rng.uniform(-1, 1, 8).tolist()),
        )

    def cavity(self, x: Array, y: Array, z: float) -> Array:
        """Level of the inner wall of the chest."""
        up, back = _taper(z)
        return rounded_box(x, y, (0.0, back), (134 * self.width * up, 90 * self.depth * up))

    def front_mm(self, z: float) -> float:
        """The inner wall in the middle in front."""
        up, back = _taper(z)
        return back - 90 * self.depth * up

    def body(self, x: Array, y: Array, z: float) -> Array:
        """Level of the skin: chest, shoulders at the top, flattened by the table."""
        shoulder = min(max((z - 165) / 75, 0.0), 1.0) ** 1.5
        half_x = (160 + self.fat - 6 * min(max((70 - z) / 70, 0.0), 1.0)) * self.width + 34 * shoulder
        half_y = (116 + self.fat) * self.depth - 28 * shoulder
        u, v = np.abs(x) / half_x, np.abs(y - 12 - 6 * shoulder) / half_y
        rho = (u**2.3 + v**2.3) ** (1 / 2.3)
        angle = np.arctan2(x, y)
        ripple = sum(w * np.cos((k + 1) * angle + z / 90) for k, w in enumerate(self.wave[:4]))
        level = (rho - 1) * float(np.sqrt(half_x * half_y)) + 1.2 * ripple
        return smooth_max(np.asarray(level, np.float32), y - self.back_mm, 14)

    @property
    def back_mm(self) -> float:
        """Height of the table."""
        return 121 * self.depth + 0.8 * self.fat

    def dome(self, x: Array, y: Array) -> Array:
        """Height of the diaphragm (mm)."""
        behind, before = np.maximum(y + 8, 0), np.minimum(y + 8, 0)
        fall = 0.0078 * behind**2 + 0.0028 * before**2
        right = self.dome_right - 0.0050 * (x + 62) ** 2
        left = self.dome_left - 0.0050 * (x - 66) ** 2
        height = smooth_max(np.asarray(right, np.float32), np.asarray(left, np.float32), 20) - fall
        ripple = 3 * self.wave[5] * np.sin(x / 21) + 2 * self.wave[6] * np.cos(y / 17 + x / 40)
        return np.asarray(np.maximum(height + ripple, 9), np.float32)

    def heart_level(self, x: Array, y: Array, z: float) -> Array:
        """Level of the pericardium."""
        up = (z - 92) / (66 * self.heart)
        if abs(up) >= 1:
            return np.full(x.shape, 50, np.float32)
        size = float(np.sqrt(1 - up * up)) * self.heart
        shift = -12 * up
        return tilted(x, y, (16 + shift, -26 - 0.4 * shift), (62 * size, 47 * size), 34)

    def mediastinum(self, x: Array, y: Array, z: float) -> Array:
        """Level of everything between the lungs: heart, great vessels, spine."""
        half = float(np.interp(z, [0, 60, 125, 165, 205, 240], [24, 20, 24, 33, 35, 33]))
        taper = 1 - 0.86 * np.clip(-(y + 15) / 55, 0, 1) - 0.55 * np.clip((y - 15) / 40, 0, 1)
        column = np.asarray(np.abs(x - 2) - half * taper, np.float32)
        parts = [
            (self.heart_level(x, y, z), 14.0),
            (ellipse(x, y, (0, 62), (25, 46)), 10.0),
            (ellipse(x, y, (25, 46), (15.5, 15.5)), 8.0),
            (ellipse(x, y, (24, 10), (22, 36)) + 0.05 * (z - 193) ** 2, 10.0),
            (ellipse(x, y, (-24, -12), (14, 15)) + 0.02 * max(0, 130 - z, z - 215) ** 2, 8.0),
            (ellipse(x, y, (-36, 10), (15, 15)) + 0.03 * (z - 150) ** 2, 8.0),
            (ellipse(x, y, (38, 14), (14, 14)) + 0.03 * (z - 157) ** 2, 8.0),
        ]
        for level, k in parts:
            column = smooth_min(column, level, k)
        return column

    def lung(self, x: Array, y: Array, z: float) -> Array:
        """Level of both lungs."""
        level = smooth_max(self.cavity(x, y, z), -self.mediastinum(x, y, z), 9)
        level = smooth_max(level, 0.8 * (self.dome(x, y) - z), 6)
        if z > 120:
            up = (z - 120) / (APEX_MM - 120)
            size = float(np.sqrt(max(0.004, 1 - up**2.2)))
            apex = ellipse(
                np.abs(x), y, (50.0, 6 + 8 * up), (98 * size * self.width, 108 * size * self.depth)
            )
            level = smooth_max(level, apex + max(0.0, z - APEX_MM), 8)
        return level

    def fissure(self, x: Array, y: Array, z: float) -> tuple[Array, Array]:
        """Distance above the oblique fissures, and above the horizontal one on the right (mm)."""
        bow = 9 * np.sin(x / 33 + self.wave[4]) - 0.0012 * x * x
        oblique = 0.70 * (z - 118 - 1.02 * y) + bow
        horizontal = z - 142 + 0.10 * y - 0.0016 * (x + 70) ** 2 + 0 * y
        return np.asarray(oblique, np.float32), np.asarray(horizontal, np.float32)
