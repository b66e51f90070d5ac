"""Volume in, reading out: every stage in turn, each with its own time. Importing this needs no TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inference.cnn.candidates import Candidate, Limits, find_candidates
from inference.cnn.doubt import scan_doubt
from inference.cnn.familiarity import unfamiliar
from inference.cnn.finding import Scan, describe
from inference.cnn.location import LungSpace
from inference.cnn.malignancy import rate
from inference.cnn.networks import LoadedNetworks, load_networks
from inference.cnn.outlines import Outlined, outline_all
from inference.cnn.reading import FoundNodule, VolumeReading
from inference.cnn.reduction import Judged, judge
from inference.cnn.scan_probability import noisy_or
from inference.cnn.seeking import is_thin, seek
from scans.dicom.geometry import Geometry
from scans.dicom.lungs import find_lungs
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


def _with_maps(
    nodules: tuple[FoundNodule, ...], outlined: list[Outlined], loaded: LoadedNetworks, placed: Standard
) -> tuple[FoundNodule, ...]:
    from inference.cnn.sensitivity import sensitivity_map

    maps = [sensitivity_map(found, loaded["malignancy"], placed) for found in outlined]
    return tuple(replace(nodule, sensitivity=one) for nodule, one in zip(nodules, maps, strict=True))


def _candidates(
    placed: Standard, space: LungSpace, loaded: LoadedNetworks, tell: Callable[[float], None]
) -> list[Candidate]:
    """Where to look closer; a thin stack is searched later, in one go."""
    spacing = placed.geometry.spacing_mm
    if is_thin(placed.hu.shape[0], spacing):
        return []
    limits = Limits(**loaded["candidates"].manifest["limits"])
    return find_candidates(placed.hu, spacing, space.both, loaded["candidates"], limits, tell)


def _judged(
    placed: Standard, space: LungSpace, found: list[Candidate], loaded: LoadedNetworks
) -> tuple[list[Judged], float]:
    """The candidates with their probabilities, most probable first, and from where on they are shown."""
    spacing = placed.geometry.spacing_mm
    if is_thin(placed.hu.shape[0], spacing):
        seeker = loaded["seeker"]
        return seek(placed.hu, spacing, space.both, seeker), float(seeker.manifest["threshold"])
    second = loaded["reduction"]
    return judge(placed.hu, spacing, found, second), float(second.manifest["threshold"])


def read_volume(
    hu: NDArray[np.int16],
    geometry: Geometry,
    *,
    progress: Progress | None = None,
    networks: LoadedNetworks | None = None,
    sensitivity: bool = False,
) -> VolumeReading:
    """Find, outline, measure and rate the nodules of one chest CT.

    `hu` is int16 (z, y, x) with the placement `geometry`; any slice order or spacing. `progress` is told the
    stage (also how many candidates there are) and the share of it that is done. `sensitivity` adds a map of
    each finding (it costs time, and shows no location). The same input gives the same output.
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
        space = LungSpace.of(lungs, placed)
        found = _candidates(placed, space, loaded, lambda p: tell("candidates", p))
    watch.seconds[f"candidates_in_{loaded['candidates'].precision}"] = watch.seconds["candidates"]
    with watch.stage("reduction"):
        tell(f"reduction of {len(found)} candidates", 0.0)
        judged, threshold = _judged(placed, space, found, loaded)
        kept = selected(judged, threshold, told["most_findings"])
    with watch.stage("outline"):
        tell(f"outline of {len(kept)} findings", 0.0)
        outlined = outline_all(placed.hu, spacing, kept, loaded)
    with watch.stage("malignancy"):
        tell("malignancy", 0.0)
        ratings = rate(placed.hu, spacing, outlined, loaded["malignancy"])
    with watch.stage("measures"):
        tell("measures", 0.0)
        scan = Scan(placed, geometry, space, threshold)
        nodules = tuple(describe(o, r, scan) for o, r in zip(outlined, ratings, strict=True))
        if sensitivity:
            nodules = _with_maps(nodules, outlined, loaded, placed)
        unlike = unfamiliar(space)
        doubt = scan_doubt(spacing[0], lungs, [(r.low, r.high) for r in ratings], unlike)
    return VolumeReading(
        findings=nodules,
        scan_probability=noisy_or((n.p_nodule, n.malignancy) for n in nodules),
        confidence=doubt.confidence,
        lung_ml=lungs.ml,
        timings_s=watch.seconds,
        networks=loaded.networks,
        doubts=doubt.reasons,
        unfamiliar=unlike,
    )
