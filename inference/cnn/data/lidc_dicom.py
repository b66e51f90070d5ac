"""LIDC-IDRI as published: DICOM series with a reading XML each, as scans with their nodules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.data.dicom_folder import Slices, built
from inference.cnn.data.lidc_marks import Mark, ScanMarks, filled, read_marks
from scans.dicom.geometry import Geometry
from scans.dicom.headers import Header, read_header
from scans.dicom.refusal import Refused
from scans.dicom.volume import BuiltVolume

XML = ("*.xml", "*.xml.xz")


@dataclass(frozen=True)
class Outline:
    """One mark as voxels: `start` (z, y, x) of `mask` in the scan."""

    mark: Mark
    start: tuple[int, int, int]
    mask: NDArray[np.bool_]

    @property
    def center(self) -> NDArray[np.float64]:
        """Centre of mass as z, y, x voxels of the scan."""
        return np.argwhere(self.mask).mean(axis=0) + self.start

    def in_box(self, start: NDArray[np.intp], shape: tuple[int, int, int]) -> NDArray[np.bool_]:
        """The outline cut out of the scan at another place."""
        found = np.zeros(shape, bool)
        low = np.maximum(start, self.start)
        high = np.minimum(start + shape, np.add(self.start, self.mask.shape))
        if (low < high).all():
            here = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
            there = tuple(slice(a, b) for a, b in zip(low - self.start, high - self.start, strict=True))
            found[here] = self.mask[there]
        return found


@dataclass(frozen=True)
class LidcScan:
    """One scan: HU (z, y, x), placement, and its nodules, each a tuple of the outlines that belong to it."""

    patient_id: str
    series_instance_uid: str
    hu: NDArray[np.int16]
    geometry: Geometry
    nodules: tuple[tuple[Outline, ...], ...]
    marks: ScanMarks


@dataclass(frozen=True)
class LidcFiles:
    """The files of one scan."""

    patient_id: str
    series_instance_uid: str
    folder: Path
    xml: Path


def lidc_files(folder: Path) -> Iterator[LidcFiles]:
    """Scans below `folder` that have a reading XML, in the order of their patients.

    The XML may lie beside the slices, as at TCIA, or anywhere below; it names its series.
    """
    readings = dict(_readings(folder))
    headers = sorted(_series_folders(folder), key=lambda pair: (pair[0].patient_id, pair[1]))
    for header, place in headers:
        uid = header.series_instance_uid
        if uid in readings:
            yield LidcFiles(header.patient_id or uid, uid, place, readings[uid])


def _readings(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(p for pattern in XML for p in folder.rglob(pattern)):
        try:
            yield read_marks(path).series_instance_uid, path
        except Refused:
            continue  # chest radiographs of LIDC have an XML of their own kind


def _series_folders(folder: Path) -> Iterator[tuple[Header, Path]]:
    """One header per folder that holds DICOM files: LIDC keeps each series in a folder of its own."""
    for place in sorted({p.parent for p in folder.rglob("*.dcm")}):
        with min(place.glob("*.dcm")).open("rb") as file:
            yield read_header(file), place


def lidc_scan(files: LidcFiles) -> LidcScan:
    """Read one scan with its marks.

    Raises
    ------
    Refused : slices that make no volume, or outlines on slices that are not there.
    """
    volume, marks = built(_slices(files)), read_marks(files.xml)
    outlines = [outline(mark, volume) for mark in marks.nodules]
    drawn = [o for o in outlines if o.mask.any()]
    nodules = tuple(joined(drawn, volume.geometry))
    return LidcScan(files.patient_id, files.series_instance_uid, volume.hu, volume.geometry, nodules, marks)


def _slices(files: LidcFiles) -> Slices:
    slices = []
    for path in sorted(files.folder.glob("*.dcm")):
        with path.open("rb") as file:
            slices.append((read_header(file), path))
    return [pair for pair in slices if pair[0].series_instance_uid == files.series_instance_uid]


def outline(mark: Mark, volume: BuiltVolume) -> Outline:
    """The voxels of one mark, found by the instance that each line was drawn on."""
    number = {uid: k for k, uid in enumerate(volume.sop_instance_uids)}
    missing = [c for c in mark.contours if c.sop_instance_uid not in number]
    if missing:
        raise Refused("SLICE_MISSING", "An outline lies on a slice that is not in the series. Copy it again.")
    at = [number[c.sop_instance_uid] for c in mark.contours]
    low, high = min(at), max(at)
    mask = np.zeros((high - low + 1, *volume.hu.shape[1:]), bool)
    for k in range(low, high + 1):
        lines = tuple(c for c, z in zip(mark.contours, at, strict=True) if z == k)
        mask[k - low] = filled(lines, (mask.shape[1], mask.shape[2]))
    if not mask.any():
        return Outline(mark, (low, 0, 0), mask[:1, :1, :1])
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    z, y, x = (int(s.start) for s in box)
    return Outline(mark, (low + z, y, x), mask[box].copy())


def joined(outlines: list[Outline], geometry: Geometry) -> list[tuple[Outline, ...]]:
    """Outlines that are the same nodule: they share a voxel, or their centres are close.

    Close is half the diameter of the smaller. Overlap comes first, so that neighbours stay two nodules.
    """
    group = list(range(len(outlines)))
    for i, j in combinations(range(len(outlines)), 2):
        if _same(outlines[i], outlines[j], geometry):
            old, new = max(group[i], group[j]), min(group[i], group[j])
            group = [new if g == old else g for g in group]
    return [tuple(o for o, g in zip(outlines, group, strict=True) if g == one) for one in sorted(set(group))]


def _same(one: Outline, other: Outline, geometry: Geometry) -> bool:
    shape = (one.mask.shape[0], one.mask.shape[1], one.mask.shape[2])
    if (one.mask & other.in_box(np.asarray(one.start), shape)).any():
        return True
    apart = float(np.linalg.norm((one.center - other.center) * geometry.spacing_mm))
    return apart < ball_mm(min(one.mask.sum(), other.mask.sum()), geometry) / 2


def ball_mm(voxels: float, geometry: Geometry) -> float:
    """Diameter in mm of the ball with the volume of so many voxels."""
    return float((6 / np.pi * voxels * geometry.voxel_mm3) ** (1 / 3))
