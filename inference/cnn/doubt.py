"""How far a finding and a scan can be trusted, as low, medium or high confidence with the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.cnn.reading import Calcium, Confidence, Doubt, Unfamiliar
from scans.dicom.lungs import LungMask

LEVELS: tuple[Confidence, ...] = ("high", "medium", "low")
WIDE_INTERVAL, VERY_WIDE_INTERVAL = 0.6, 0.8
FAINT_EDGE = 0.70
FAINT_ODDS = 2.0
GRAVE = ("U_NOLUNGS", "U_LUNG", "U_NOISE")

Weighed = tuple[int, str]


def doubt_of(weighed: Iterable[Weighed]) -> Doubt:
    """No reason is high confidence, a weight of one medium, more low."""
    found = list(weighed)
    return Doubt(LEVELS[min(sum(weight for weight, _ in found), 2)], tuple(reason for _, reason in found))


def edge_agreement(probability: NDArray[np.floating]) -> float:
    """Dice of the outlines cut at 0.35 and at 0.65: 1 where the network draws a sharp edge."""
    wide, narrow = int((probability >= 0.35).sum()), int((probability >= 0.65).sum())
    return 2 * narrow / (wide + narrow) if wide else 0.0


def finding_doubt(
    p_nodule: float, threshold: float, interval: tuple[float, float], edge: float, calcium: Iterable[Weighed]
) -> Doubt:
    """By the spread of the malignancy ratings, the distance from the threshold, the edge, the calcium."""
    return doubt_of([*_spread(interval), *_near(p_nodule, threshold), *_edge(edge), *calcium])


def _spread(interval: tuple[float, float]) -> Iterator[Weighed]:
    width = interval[1] - interval[0]
    if width > WIDE_INTERVAL:
        yield (
            (2 if width > VERY_WIDE_INTERVAL else 1),
            "How suspicious it is, is uncertain: the interval is wide.",
        )


def _near(p_nodule: float, threshold: float) -> Iterator[Weighed]:
    """Odds less than FAINT_ODDS times those of the threshold."""
    if p_nodule * (1 - threshold) < FAINT_ODDS * threshold * (1 - p_nodule):
        yield 1, "It is barely above the threshold from which findings are shown."


def _edge(agreement: float) -> Iterator[Weighed]:
    if agreement < FAINT_EDGE:
        yield 1, "The edge of the outline is uncertain, and so are its measures."


def calcium_doubt(pattern: Calcium, calcified: float | None) -> Iterator[Weighed]:
    """Where Hounsfield units and the network's opinion (0..1) on calcium contradict each other."""
    if calcified is not None and abs(float(pattern != "none") - calcified) > 0.8:
        yield 1, "Density and network contradict each other on calcium."


def scan_doubt(
    slice_mm: float,
    lungs: LungMask,
    intervals: Sequence[tuple[float, float]],
    unfamiliar: Iterable[Unfamiliar],
) -> Doubt:
    """By slices, coverage, a rating that is uncertain, and all that the training scans were not like."""
    return doubt_of(
        [
            *_acquisition(slice_mm, lungs),
            *((2 if one.code in GRAVE else 1, one.sentence) for one in unfamiliar),
            *_at_odds(intervals),
        ]
    )


def _acquisition(slice_mm: float, lungs: LungMask) -> Iterator[Weighed]:
    if slice_mm > 2:
        yield (
            (2 if slice_mm > 3 else 1),
            f"The slices lie {slice_mm:.1f} mm apart: small nodules can be missed.",
        )
    if lungs.ml < 1000:
        yield 2, "Less than a litre of lung was found."
    elif lungs.touches_in_plane_border > 0.2:
        yield 1, "The field of view cuts the lungs."


def _at_odds(intervals: Sequence[tuple[float, float]]) -> Iterator[Weighed]:
    if any(high - low > VERY_WIDE_INTERVAL for low, high in intervals):
        yield 1, "How suspicious a finding is, is quite uncertain."
