"""Ribs, spine, breastbone and shoulder blades of one slice, and the collar bones as tubes."""

from __future__ import annotations

import numpy as np

from scans.dicom.phantom.anatomy import Anatomy, Array, cover, ellipse
from scans.dicom.phantom.tubes import Tubes

RIB_STEP_MM = 24.5
LOWEST_RIB_MM = -22.0
VERTEBRA_MM = 23.0
CORTEX_HU, MARROW_HU, CARTILAGE_HU = 720.0, 190.0, 105.0
Window = tuple[slice, slice]


def _paint_bone(
    hu: Array, level: Array, cortex_mm: float, pixel_mm: float, marrow: float | Array = MARROW_HU
) -> None:
    """A bone with a dense shell of `cortex_mm` around its marrow."""
    hu += cover(level, pixel_mm) * (CORTEX_HU - hu)
    hu += cover(level + cortex_mm, pixel_mm) * (marrow - hu)


def _capsule(x: Array, y: Array, start: tuple[float, float], end: tuple[float, float]) -> tuple[Array, Array]:
    """Distance to a line from `start` to `end`, and how far along it (0 to 1) the nearest point lies."""
    way = (end[0] - start[0], end[1] - start[1])
    along = ((x - start[0]) * way[0] + (y - start[1]) * way[1]) / (way[0] ** 2 + way[1] ** 2)
    share = np.clip(along, 0, 1)
    return np.hypot(x - start[0] - share * way[0], y - start[1] - share * way[1]), share


class Bones:
    """Paints the bones of one patient on a fixed grid of body mm."""

    def __init__(self, anatomy: Anatomy, x: Array, y: Array, angle: Array, pixel_mm: float) -> None:
        self._anatomy, self._x, self._y, self._angle, self._pixel = anatomy, x, y, angle, pixel_mm
        self._spine = self._window(-48, 48, 22, 118)
        self._front = self._window(-36, 36, -150, -40)
        self._back = self._window(-180, 180, 10, 125)

    def _window(self, left: float, right: float, front: float, back: float) -> Window:
        """The part of the grid between these mm."""
        columns = np.flatnonzero((self._x[0] >= left) & (self._x[0] <= right))
        rows = np.flatnonzero((self._y[:, 0] >= front) & (self._y[:, 0] <= back))
        row = slice(int(rows[0]), int(rows[-1]) + 1) if rows.size else slice(0, 0)
        return row, slice(int(columns[0]), int(columns[-1]) + 1) if columns.size else slice(0, 0)

    def paint(self, hu: Array, z: float, cavity: Array, mottle: Array) -> None:
        """All bones of the slice at height `z`; `cavity` is the level of the chest wall."""
        self._ribs(hu, z, cavity)
        self._vertebra(hu[self._spine], z, mottle[self._spine])
        if 92 < z < 228:
            self._sternum(hu[self._front], z)
        if 125 < z < 262:
            self._blades(hu[self._back], z)

    def _ribs(self, hu: Array, z: float, wall: Array) -> None:
        """Cuts through twelve pairs of ribs, which fall by 78 mm from back to front; cartilage in front."""
        near = (np.abs(wall - 6.5) < 7) & (np.abs(self._x) > 22)
        if not near.any():
            return
        angle, x = self._angle[near], self._x[near]
        place = (z + 78 * angle**1.25 - LOWEST_RIB_MM) / RIB_STEP_MM + 0.10 * np.sign(x) * self._anatomy.wave[
            7
        ]
        number = np.round(place)
        across = (place - number) * RIB_STEP_MM * 0.82
        level = (np.hypot(across / 6.6, (wall[near] - 6.5) / 4.4) - 1) * 5
        level[(number > 11) | (number < 0) | ((number < 2) & (angle > 0.5))] = 9
        tissue = hu[near]
        _paint_bone(tissue, level, 1.5, self._pixel)
        gristle = cover(level, self._pixel) * np.clip((angle - 0.76) / 0.03, 0, 1)
        tissue += gristle * (CARTILAGE_HU - tissue)
        hu[near] = tissue

    def _vertebra(self, hu: Array, z: float, mottle: Array) -> None:
        """Vertebral body or disc, canal with cord, arch and processes."""
        along = (z / VERTEBRA_MM) % 1.0
        shift = 6 * float(np.clip((z - 150) / 120, 0, 1))
        x, y = self._x[self._spine], self._y[self._spine] - np.float32(shift)
        waist = 1.5 * float(np.cos(2 * np.pi * along))
        body = ellipse(x, y, (0, 46), (16.5 + waist, 13.5 + waist))
        if along < 0.2:
            hu += cover(body, self._pixel) * (85 - hu)
        else:
            _paint_bone(hu, body, 1.3 if 0.27 < along < 0.93 else 5.0, self._pixel, 175 + 26 * mottle)
        _paint_bone(hu, self._arch(x, y, along), 1.3, self._pixel)
        canal = ellipse(x, y, (0, 66), (8.2, 7.6))
        hu += cover(canal, self._pixel) * (16 - hu)
        hu += cover(canal + 3.2, self._pixel) * (38 - hu)

    def _arch(self, x: Array, y: Array, along: float) -> Array:
        side = np.abs(x)
        arch = np.abs(np.hypot(x, y - 66) - 10.5) - 2.4
        arch = np.where((y < 60) & (side < 7), np.float32(9), arch)
        if not 0.15 < along < 0.85:
            return np.asarray(arch + 1.2, np.float32)
        spine, share = _capsule(x, y, (0, 76), (0.0, 80 + 24 * along))
        level = np.minimum(arch, spine - 2.2 - 1.6 * share**4)
        if 0.35 < along < 0.75:
            wing, share = _capsule(side, y, (9, 68), (31, 79))
            level = np.minimum(level, wing - 4.6 + 1.6 * np.sin(np.pi * share))
        return np.asarray(level, np.float32)

    def _sternum(self, hu: Array, z: float) -> None:
        """Breastbone from 95 mm, its broader top from 180 mm."""
        half = 15.0 if z < 180 else 15 + 0.30 * (z - 180)
        x, y = self._x[self._front], self._y[self._front]
        level = ellipse(x, y, (0, self._anatomy.front_mm(z) - 8), (half, 6.2)) + max(0.0, 97 - z, z - 223)
        _paint_bone(hu, level, 1.1, self._pixel, 120.0)

    def _blades(self, hu: Array, z: float) -> None:
        """Thin plates behind the ribs, with their ridge higher up."""
        up = float(np.clip((z - 125) / 90, 0, 1))
        side, y = np.abs(self._x[self._back]), self._y[self._back]
        inner, outer = (114 - 20 * up, 92.0), (134 + 20 * up, 66 - 28 * up)
        distance, share = _capsule(
            side - 4 * np.sin(np.pi * np.clip((side - 95) / 50, 0, 1)), y, inner, outer
        )
        thickness = 1.7 + 3.5 * share**3 + 2.2 * (1 - share) ** 4
        level = distance - thickness
        if z > 195:
            ridge, _ = _capsule(side, y, (120, 97), (144, 83))
            level = np.minimum(level, ridge - 3.4)
        _paint_bone(hu, np.asarray(level, np.float32), 1.3, self._pixel)


def collar_bones() -> Tubes:
    """Clavicles and the heads of the upper arm bones."""
    right, left = (_shoulder(side) for side in (-1, 1))
    return right + left


def _shoulder(side: int) -> Tubes:
    collar = [(16, -62, 222, 7.5), (45, -66, 236, 6), (95, -40, 252, 5.5), (140, -8, 262, 6.5)]
    arm = [(166, 16, 250, 22), (172, 12, 290, 16)]
    return Tubes.along([(side * x, y, z, r) for x, y, z, r in collar]) + Tubes.along(
        [(side * x, y, z, r) for x, y, z, r in arm]
    )
