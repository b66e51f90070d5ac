"""Nodules for training from any layout that has some: `nodule_samples(folder)`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.cnn.data.layout import Layout, recognise
from inference.cnn.data.lidc_dicom import LidcScan, Outline, ball_mm, lidc_files, lidc_scan
from inference.cnn.data.luna16 import LunaScan, Nodule, ball, luna16_scans
from inference.cnn.measures import measure
from inference.cnn.training.lidc import TRAITS, LidcNodule, lidc_nodules
from scans.dicom.geometry import Geometry
from scans.dicom.refusal import Refused

CROP = 64


def splits_of(folder: Path) -> list[str]:
    """The splits of a folder of crops, by the names of its tables."""
    return sorted(path.name.removesuffix("_nodules.csv") for path in folder.glob("*_nodules.csv"))


def nodule_samples(folder: Path, split: str = "all") -> list[LidcNodule]:
    """The nodules of a data set, with outlines and ratings where there are any.

    Knows LIDC-IDRI as crops (`split` chooses one of its tables), LIDC-IDRI as published, and LUNA16 as
    published. LUNA16 lists places and diameters only: its nodules are balls with one mask and no rating, good
    for finding, not for outlining or rating. Crops are 64 x 64 native pixels about the nodule, on the slices
    that somebody outlined.

    Raises
    ------
    Refused : a folder of another layout, or one of its files that cannot be read.
    """
    layout, place = recognise(folder)
    if layout is Layout.LIDC_CROPS:
        wanted = splits_of(place) if split == "all" else [split]
        return [n for one in wanted for n in lidc_nodules(place.parent, one)]
    if layout is Layout.LIDC_DICOM:
        return _of_lidc_dicom(place)
    if layout is Layout.LUNA16_SCANS:
        return [n for scan in luna16_scans(place) for n in luna_scan_nodules(scan)]
    raise Refused("NO_NODULES", f"{folder.name} holds {layout}, which tells of no nodules in 3D.")


def _of_lidc_dicom(folder: Path) -> list[LidcNodule]:
    scans = list(lidc_files(folder))
    if not scans:
        told = "no DICOM series with the reading XML of the same SeriesInstanceUID"
        raise Refused("NO_LABELS", f"{folder.name} holds {told}. Copy the XML files into it.")
    return [n for files in scans for n in lidc_scan_nodules(lidc_scan(files))]


def lidc_scan_nodules(scan: LidcScan) -> Iterator[LidcNodule]:
    """One row per nodule of a scan."""
    for number, outlines in enumerate(scan.nodules):
        yield _row(f"{scan.patient_id}_x{number}", scan, outlines)


def _row(name: str, scan: LidcScan, outlines: tuple[Outline, ...]) -> LidcNodule:
    start, shape = _box(scan.geometry, outlines)
    sessions = sorted({o.mark.session for o in outlines})
    whole = [_whole(outlines, k) for k in sessions]
    masks = tuple(o.in_box(start, shape) for o in whole)
    box = tuple(slice(int(s), int(s) + n) for s, n in zip(start, shape, strict=True))
    rated = {
        ours: tuple(o.mark.ratings[n] for o in outlines if n in o.mark.ratings) for ours, n in TRAITS.items()
    }
    return LidcNodule(
        nodule_id=name,
        patient_id=scan.patient_id,
        hu=scan.hu[box],
        masks=masks,
        spacing_mm=scan.geometry.spacing_mm,
        malignancy=tuple(o.mark.ratings["malignancy"] for o in outlines if "malignancy" in o.mark.ratings),
        texture=rated["texture"],
        diameter_mm=ball_mm(np.mean([o.mask.sum() for o in whole]), scan.geometry),
        longest_mm=float(np.mean([longest_mm(o.mask, scan.geometry) for o in whole])),
        cut=any(m.sum() < o.mask.sum() for m, o in zip(masks, whole, strict=True)),
        traits=rated,
    )


def _whole(outlines: tuple[Outline, ...], session: int) -> Outline:
    """The outline of one reader; pieces that this reader drew apart are united."""
    own = [o for o in outlines if o.mark.session == session]
    low = np.min([o.start for o in own], axis=0)
    high = np.max([np.add(o.start, o.mask.shape) for o in own], axis=0)
    z, y, x = (int(n) for n in high - low)
    mask = np.logical_or.reduce([o.in_box(low, (z, y, x)) for o in own])
    return Outline(own[0].mark, (int(low[0]), int(low[1]), int(low[2])), mask)


def longest_mm(mask: NDArray[np.bool_], geometry: Geometry) -> float:
    """Longest extent in any one slice, outer edge to outer edge."""
    spacing, origin, direction = geometry.spacing_mm, geometry.origin_mm, geometry.direction
    one = Geometry((1, mask.shape[1], mask.shape[2]), spacing, origin, direction)
    return max(measure(mask[k : k + 1], one).long_axis_mm for k in range(len(mask)) if mask[k].any())


def _box(geometry: Geometry, outlines: tuple[Outline, ...]) -> tuple[NDArray[np.intp], tuple[int, int, int]]:
    """Slices that somebody outlined, CROP x CROP pixels about the middle, moved in where the scan ends."""
    low = np.min([o.start for o in outlines], axis=0)
    high = np.max([np.add(o.start, o.mask.shape) for o in outlines], axis=0)
    return _crop(geometry, low, high)


def _crop(
    geometry: Geometry, low: NDArray[np.intp], high: NDArray[np.intp]
) -> tuple[NDArray[np.intp], tuple[int, int, int]]:
    rows, columns = (min(CROP, n) for n in geometry.shape[1:])
    middle = (low + high) // 2
    y = int(np.clip(middle[1] - rows // 2, 0, geometry.shape[1] - rows))
    x = int(np.clip(middle[2] - columns // 2, 0, geometry.shape[2] - columns))
    return np.array([int(low[0]), y, x]), (int(high[0] - low[0]), rows, columns)


def luna_scan_nodules(scan: LunaScan) -> Iterator[LidcNodule]:
    """The listed nodules of a scan as balls."""
    if not scan.nodules:
        return
    hu, geometry = scan.read()
    for number, nodule in enumerate(scan.nodules):
        yield _ball_row(f"{scan.series_instance_uid}_{number}", scan, hu, geometry, nodule)


def _ball_row(
    name: str, scan: LunaScan, hu: NDArray[np.int16], geometry: Geometry, nodule: Nodule
) -> LidcNodule:
    center = geometry.to_index(nodule.center_mm)
    reach = nodule.diameter_mm / 2 / np.asarray(geometry.spacing_mm)
    low = np.clip(np.ceil(center - reach), 0, np.subtract(geometry.shape, 1)).astype(int)
    high = np.clip(np.floor(center + reach) + 1, low + 1, geometry.shape).astype(int)
    start, shape = _crop(geometry, low, high)
    mask = ball(geometry, nodule, start, shape)
    box = tuple(slice(int(s), int(s) + n) for s, n in zip(start, shape, strict=True))
    return LidcNodule(
        nodule_id=name,
        patient_id=scan.patient_id,
        hu=hu[box],
        masks=(mask,),
        spacing_mm=geometry.spacing_mm,
        malignancy=(),
        texture=(),
        diameter_mm=nodule.diameter_mm,
        longest_mm=nodule.diameter_mm,
        cut=bool((np.array(shape[1:]) < 2 * reach[1:]).any()),
    )
