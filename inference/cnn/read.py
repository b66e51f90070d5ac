"""Volume in, reading out: every stage in turn, each with its own time. Importing this needs no TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from inference.cnn.candidates import Limits, find_candidates
from inference.cnn.malignancy import Rating, rate
from inference.cnn.measures import measure
from inference.cnn.networks import LoadedNetworks, load_networks
from inference.cnn.outlines import Outlined, outline_all
from inference.cnn.reading import Confidence, FoundNodule, Side, VolumeReading
from inference.cnn.reduction import Judged, judge
from inference.cnn.scan_probability import noisy_or
from inference.cnn.texture import nodule_type, solid_share
from scans.dicom.geometry import Geometry
from scans.dicom.lungs import LungMask, find_lungs
from scans.dicom.orientation import Standard, standard

Progress = Callable[[str, float], None]

STAGES = ("lungs", "candidates", "reduction", "outline", "malignancy", "measures")


class Watch:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


def _quiet(stage: str, part: float) -> None:
    """Progress nobody asked for."""


def selected(judged: list[Judged], threshold: float, count: int) -> list[Judged]:
    """Those that are shown: above the threshold, at most `count`."""
    return [j for j in judged if j.p_nodule >= threshold][:count]


def side_of(index: NDArray[np.float64], lungs: LungMask, placed: Standard) -> Side:
    """The lung that a place (z, y, x of the standard volume) lies in, or the nearer one."""
    thin = (slice(None, None, 2), slice(None, None, 6), slice(None, None, 6))
    right, both = _standard_mask(lungs.right, placed)[thin], _standard_mask(lungs.mask, placed)[thin]
    at = np.argwhere(both)
    if not len(at):
        return "right" if index[2] < placed.geometry.shape[2] / 2 else "left"
    offset = (at * [2, 6, 6] - index) * placed.geometry.spacing_mm
    nearest = at[int(np.argmin((offset**2).sum(axis=1)))]
    return "right" if right[tuple(nearest)] else "left"


def _standard_mask(mask: NDArray[np.bool_], placed: Standard) -> NDArray[np.bool_]:
    turned = mask.transpose(placed.axes)
    return turned[tuple(slice(None, None, -1) if f else slice(None) for f in placed.flipped)]


def confidence(spacing_z_mm: float, lungs: LungMask, ratings: list[Rating]) -> Confidence:
    """How far the reading can be trusted: thick slices, missing lung or networks at odds lower it."""
    doubts = 0
    if spacing_z_mm > 3 or lungs.ml < 1000:
        doubts += 2
    elif spacing_z_mm > 2 or lungs.touches_first_or_last_slice or lungs.touches_in_plane_border > 0.2:
        doubts += 1
    if any(r.high - r.low > 0.5 for r in ratings):
        doubts += 1
    levels: tuple[Confidence, ...] = ("high", "medium", "low")
    return levels[min(doubts, 2)]


def _nodule(
    found: Outlined,
    rating: Rating,
    lungs: LungMask,
    placed: Standard,
    hu: NDArray[np.int16],
    geometry: Geometry,
) -> FoundNodule:
    """One finding with its measures on the voxels of the volume that was given."""
    start, mask = placed.back_box(found.start, found.mask)
    origin = tuple(float(v) for v in geometry.to_mm(start))
    part = Geometry(mask.shape, geometry.spacing_mm, origin, geometry.direction)  # type: ignore[arg-type]
    measures = measure(mask, part)
    values = hu[tuple(slice(s, s + n) for s, n in zip(start, mask.shape, strict=True))]
    center = placed.geometry.to_index(measures.center_mm)
    return FoundNodule(
        center_mm=measures.center_mm,
        slice_index=start[0] + measures.slice_index,
        start=start,
        mask=mask,
        long_axis_mm=measures.long_axis_mm,
        short_axis_mm=measures.short_axis_mm,
        mean_diameter_mm=measures.mean_diameter_mm,
        volume_mm3=measures.volume_mm3,
        type=nodule_type(solid_share(values, mask, geometry.spacing_mm)),
        side=side_of(center, lungs, placed),
        p_nodule=found.judged.p_nodule,
        malignancy=rating.malignancy,
        malignancy_low=rating.low,
        malignancy_high=rating.high,
    )


def read_volume(
    hu: NDArray[np.int16],
    geometry: Geometry,
    *,
    progress: Progress | None = None,
    networks: LoadedNetworks | None = None,
) -> VolumeReading:
    """Find, outline, measure and rate the nodules of one chest CT.

    `hu` is int16 (z, y, x) with the placement `geometry`; any slice order or spacing. `progress` is told the
    stage and the share of it that is done. The same input gives the same output.
    """
    if tuple(hu.shape) != tuple(geometry.shape):
        raise ValueError(f"The volume has shape {hu.shape}, its geometry {geometry.shape}.")
    tell, watch = progress or _quiet, Watch()
    loaded = networks or load_networks()
    placed = standard(hu, geometry)
    spacing = placed.geometry.spacing_mm
    told = loaded["reduction"].manifest
    with watch.stage("lungs"):
        tell("lungs", 0.0)
        lungs = find_lungs(hu, geometry)
    with watch.stage("candidates"):
        limits = Limits(**loaded["candidates"].manifest["limits"])
        mask = _standard_mask(lungs.mask, placed)
        found = find_candidates(
            placed.hu, spacing, mask, loaded["candidates"], limits, lambda p: tell("candidates", p)
        )
    with watch.stage("reduction"):
        tell("reduction", 0.0)
        judged = judge(placed.hu, spacing, found, loaded["reduction"])
        kept = selected(judged, told["threshold"], told["most_findings"])
    with watch.stage("outline"):
        tell("outline", 0.0)
        outlined = outline_all(placed.hu, spacing, kept, loaded["outline"])
    with watch.stage("malignancy"):
        tell("malignancy", 0.0)
        ratings = rate(placed.hu, spacing, outlined, loaded["malignancy"])
    with watch.stage("measures"):
        tell("measures", 0.0)
        pairs = zip(outlined, ratings, strict=True)
        nodules = tuple(_nodule(o, r, lungs, placed, hu, geometry) for o, r in pairs)
    return VolumeReading(
        findings=nodules,
        scan_probability=noisy_or((n.p_nodule, n.malignancy) for n in nodules),
        confidence=confidence(spacing[0], lungs, ratings),
        lung_ml=lungs.ml,
        timings_s=watch.seconds,
        networks=loaded.networks,
    )
