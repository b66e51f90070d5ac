"""The soft tissue of one slice, before the scanner blurs it.

Large shapes are smooth, so their levels are computed on half the grid and interpolated: four times faster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from scans.dicom.phantom import bones
from scans.dicom.phantom.anatomy import Anatomy, Array, cover, ellipse, smooth_max, smooth_min
from scans.dicom.phantom.fields import SmoothField

AIR, FAT, MUSCLE, SKIN = -1000.0, -102.0, 56.0, 20.0
LUNG_HU = -866.0
BLOOD_HU, CONTRAST_HU = 42.0, 290.0


@dataclass(frozen=True)
class Coverage:
    """How much of each pixel the tubes of one slice fill, 0 to 1."""

    blood: Array
    airway_wall: Array
    airway: Array
    bone: Array
    marrow: Array


@dataclass(frozen=True)
class Fields:
    """Mottle of three grains."""

    coarse: SmoothField
    middle: SmoothField
    fine: SmoothField


class Painter:
    """Paints slices of one patient on a fixed grid: `x` of the columns and `y` of the rows in body mm."""

    def __init__(self, anatomy: Anatomy, x: Array, y: Array, fields: Fields, blood_hu: float) -> None:
        self._anatomy, self._fields, self._blood_hu = anatomy, fields, blood_hu
        self._pixel = float(x[1] - x[0])
        self._x, self._y = (np.asarray(grid, np.float32) for grid in np.meshgrid(x, y))
        self._half_x, self._half_y = np.meshgrid(_halved(x), _halved(y))
        self._angle = np.arctan2(np.abs(self._x), self._y) / np.float32(np.pi)
        self._bones = bones.Bones(anatomy, self._x, self._y, self._angle, self._pixel)

    def paint(self, z: float, tubes: Coverage) -> Array:
        """HU (rows, columns) at height `z`."""
        half_cavity = self._anatomy.cavity(self._half_x, self._half_y, z)
        cavity = self._full(half_cavity)
        mottle = self._fields.middle.at(z)
        coarse = self._fields.coarse.at(z)
        hu = self._outside()
        self._chest_wall(hu, z, cavity, mottle, coarse)
        self._inside(hu, z, cavity, mottle, coarse)
        if z < self._anatomy.dome_right + 4:
            self._abdomen(hu, z, half_cavity, mottle)
        self._lungs(hu, z, mottle)
        hu += tubes.blood * (self._blood_hu - hu)
        hu += tubes.airway_wall * (10 - hu)
        hu += tubes.airway * (-985 - hu)
        self._bones.paint(hu, z, cavity, mottle)
        hu += tubes.bone * (bones.CORTEX_HU - hu)
        hu += tubes.marrow * (bones.MARROW_HU - hu)
        return hu

    def _full(self, level: Array) -> Array:
        """A level of the half grid on the full grid."""
        size = (self._x.shape[1], self._x.shape[0])
        return np.asarray(Image.fromarray(level).resize(size, Image.Resampling.BILINEAR))

    def _cover(self, level: Array) -> Array:
        return cover(level, self._pixel)

    def _outside(self) -> Array:
        """Air and the table: a thin shell that bends up at its sides."""
        hu = np.full(self._x.shape, AIR, np.float32)
        table = self._y - self._anatomy.back_mm - 9 + 0.0011 * self._x**2
        shell = np.maximum(np.abs(table) - 1.3, np.abs(self._x) - 150)
        hu += self._cover(shell) * (-150 - hu)
        foam = np.maximum(np.abs(table + 5.5) - 4.0, np.abs(self._x) - 138)
        hu += cover(foam, 3) * (-945 - hu)
        return hu

    def _chest_wall(self, hu: Array, z: float, cavity: Array, mottle: Array, coarse: Array) -> None:
        """Skin, fat under it, muscle with fat between its layers."""
        skin = self._full(self._anatomy.body(self._half_x, self._half_y, z))
        hu += self._cover(skin) * (SKIN - hu)
        hu += self._cover(skin + 1.8) * (FAT + 7 * mottle - hu)
        fat = self._anatomy.fat * (0.70 + 0.40 * np.sin(np.pi * self._angle)) + 2.5 * coarse
        shoulder = 220 * float(np.clip((z - 190) / 40, 0, 1))
        bulk = 19 + 12 * np.sin(2.2 * np.pi * (self._angle - 0.12)) + 3 * coarse + shoulder
        muscle = smooth_max(skin + np.maximum(fat, 3), cavity - 9 - bulk, 8)
        seam = np.abs(coarse + 0.12 * mottle)
        layers = np.abs((cavity - 22 - 5 * coarse) / 6)
        planes = np.clip(1.6 - np.minimum(seam / 0.13, layers / 0.30), 0, 1) * (cavity > 12)
        hu += self._cover(muscle) * (MUSCLE + 7 * mottle - planes * 125 - hu)
        lining = np.abs(cavity - 5.5) - 5
        hu += self._cover(lining) * (MUSCLE - 25 + 9 * mottle - hu)

    def _inside(self, hu: Array, z: float, cavity: Array, mottle: Array, coarse: Array) -> None:
        """Fat, heart and gullet within the chest."""
        neck = ellipse(self._half_x, self._half_y, (0, 0), (46, 30)) if z > 225 else None
        space = self._cover(cavity - 0.5) if neck is None else cover(self._full(neck), 9)
        strands = np.clip((mottle - 0.8) / 0.6, 0, 1)
        hu += space * (FAT + 5 + 50 * strands - hu)
        level = self._anatomy.heart_level(self._half_x, self._half_y, z)
        if level.min() < 5:
            heart = self._full(level)
            sac = self._cover(np.abs(heart) - 0.8)
            hu += sac * space * 0.7 * (20 - hu)
            hu += self._cover(heart + 3.5 + 2.5 * coarse + 0.8 * mottle) * (46 + 3 * mottle - hu)
            if self._blood_hu > 100:
                hu += self._cover(self._full(self._chambers(level, z))) * (self._blood_hu - 40 - hu)
        gullet = self._full(ellipse(self._half_x, self._half_y, (5, 23), (8.5, 5.5)))
        hu += self._cover(gullet) * space * (34 - hu)

    def _chambers(self, heart: Array, z: float) -> Array:
        """Level of the blood in four chambers; the muscle between them is left."""
        x, y = self._half_x, self._half_y
        septum = np.abs((x - 14) * 0.80 + (y + 22) * 0.60 - 0.05 * (z - 90)) - 4.5
        valve = np.abs((y + 8) * 0.80 - (x - 6) * 0.60) - 2.0
        return smooth_max(smooth_max(heart + 9, -septum, 8), -valve, 6)

    def _abdomen(self, hu: Array, z: float, cavity: Array, mottle: Array) -> None:
        """Liver, spleen, stomach and fat below the diaphragm."""
        x, y = self._half_x, self._half_y
        below = smooth_max(cavity + 2, z - self._anatomy.dome(x, y), 4)
        below = smooth_max(below, -self._anatomy.heart_level(x, y, z), 4)
        below = smooth_max(below, -ellipse(x, y, (2, 52), (32, 42)), 6)
        if below.min() > 2:
            return
        hu += self._cover(self._full(below)) * (FAT + 12 - hu)
        hu += self._cover(np.abs(self._full(below)) - 1.5) * (48 - hu)
        contrast = 0.2 * max(0.0, self._blood_hu - 100)
        liver = smooth_min(ellipse(x, y, (-66, -4), (92, 100)), ellipse(x, y, (0, -55), (74, 46)), 20)
        spleen = ellipse(x, y, (96, 40), (36, 42))
        stomach = ellipse(x, y, (64, -18), (44, 38)) + 0.02 * max(0.0, 34 - z)
        for organ, value in ((stomach, 30.0), (spleen, 50.0 + contrast), (liver, 59.0 + contrast)):
            level = self._full(smooth_max(organ, below + 1.0, 4))
            hu += self._cover(level) * (value + 3 * mottle - hu)

    def _lungs(self, hu: Array, z: float, mottle: Array) -> None:
        """Lung tissue, denser at the back by gravity, and the fissures."""
        lung = self._cover(self._full(self._anatomy.lung(self._half_x, self._half_y, z)))
        if not lung.any():
            return
        tissue = LUNG_HU + 0.24 * self._y + 11 * mottle + 13 * self._fields.fine.at(z)
        oblique, horizontal = self._anatomy.fissure(self._half_x, self._half_y, z)
        above = self._full(oblique)
        line = self._cover(np.abs(above) - 0.25)
        across = self._cover(np.abs(self._full(horizontal)) - 0.3)
        line = np.maximum(line, across * ((above > 0) & (self._x < 0)) * 0.7)
        hu += lung * (tissue + 190 * line - hu)


def _halved(axis: Array) -> Array:
    """Every second place of an axis, half-way between its neighbours."""
    count = len(axis) // 2
    step = (axis[1] - axis[0]) * len(axis) / count
    return np.asarray(axis[0] + (axis[1] - axis[0]) * -0.5 + (np.arange(count) + 0.5) * step, np.float32)
