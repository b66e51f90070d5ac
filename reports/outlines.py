"""Outlines of findings, and the optional layer of sensitivity, as polygons over the slices."""

from __future__ import annotations

import numpy as np
from django.core.cache import cache
from numpy.typing import NDArray
from skimage.measure import find_contours

from inference.models import Finding, Reading
from inference.results import mask_of, sensitivity_of

KEPT_FOR_S = 24 * 60 * 60
SENSITIVITY_LEVELS = (64, 128)

Polygon = list[float]


def outlines_of(reading: Reading) -> dict[str, dict[str, list[Polygon]]]:
    """Per finding and slice index the polygons as x, y, x, y … in pixels of the volume.

    A reading never changes, so neither do its outlines: they are kept under its key.
    """
    key = f"outlines:{reading.pk}"
    found: dict[str, dict[str, list[Polygon]]] | None = cache.get(key)
    if found is None:
        found = {str(finding.pk): polygons_of(finding) for finding in reading.findings.all()}
        cache.set(key, found, KEPT_FOR_S)
    return found


def polygons_of(finding: Finding) -> dict[str, list[Polygon]]:
    """Polygons of one finding for each slice that it touches."""
    first, top, left = finding.mask_start
    planes = enumerate(mask_of(finding), first)
    return {str(index): contours(plane, top, left) for index, plane in planes if plane.any()}


def contours(plane: NDArray[np.bool_], top: int, left: int) -> list[Polygon]:
    """Outlines half-way between inside and outside voxels; pixel (0, 0) has its centre at (0, 0)."""
    padded = np.pad(plane.astype(np.float32), 1)
    polygons = []
    for contour in find_contours(padded, 0.5):  # type: ignore[no-untyped-call]
        points = contour[:, ::-1] - 1 + (left, top)
        polygons.append([round(float(value), 2) for value in points.ravel()])
    return polygons


def sensitivity_of_reading(reading: Reading) -> dict[str, dict[str, list[Polygon]]]:
    """Per finding and slice the polygons round what the rating reacts to most, in the form of outlines.

    Two levels: a quarter and a half of the strongest voxel. Findings without a map are left out.
    """
    key = f"sensitivity:{reading.pk}"
    found: dict[str, dict[str, list[Polygon]]] | None = cache.get(key)
    if found is None:
        mapped = reading.findings.exclude(sensitivity="").defer("mask_bits")
        found = {str(finding.pk): sensitive_places(finding) for finding in mapped}
        cache.set(key, found, KEPT_FOR_S)
    return found


def sensitive_places(finding: Finding) -> dict[str, list[Polygon]]:
    """Polygons of one finding's map for each slice that it touches."""
    values, (first, top, left) = sensitivity_of(finding), finding.sensitivity_start or (0, 0, 0)
    levels = [values >= level for level in SENSITIVITY_LEVELS]
    return {
        str(first + z): [polygon for level in levels for polygon in contours(level[z], top, left)]
        for z in range(values.shape[0])
        if levels[0][z].any()
    }
