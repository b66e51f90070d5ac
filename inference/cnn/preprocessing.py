"""What each network is shown: one function per network, used by training, evaluation and reading alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CANDIDATES_STEP_MM = 1.25
CANDIDATES_TILE = (96, 96, 96)
CANDIDATES_STRIDE = 4
REDUCTION_STEP_MM = 1.25
REDUCTION_PATCH = (32, 32, 32)
OUTLINE_SLICES = 5
OUTLINE_WINDOW = 64
OUTLINE_CHANNELS = 2 * OUTLINE_SLICES + 3
USUAL_SLICE_MM, USUAL_PIXEL_MM = 1.5, 0.7
MALIGNANCY_PIXEL_MM = 0.65
MALIGNANCY_SLICE_MM = 1.5
MALIGNANCY_SLICES = 5
MALIGNANCY_WINDOW = 64
MALIGNANCY_CHANNELS = 3 * MALIGNANCY_SLICES + 1

FloatArray = NDArray[np.float32]


def _window(hu: NDArray[np.generic], low: float, high: float) -> FloatArray:
    """HU to -1..1, clipped at both ends."""
    return np.asarray((np.clip(hu, low, high) - low) * (2 / (high - low)) - 1, np.float32)


def candidates_input(hu: NDArray[np.generic]) -> FloatArray:
    """(..., 1): lung and soft tissue, -1000..400 HU."""
    return _window(hu, -1000, 400)[..., None]


def reduction_input(hu: NDArray[np.generic]) -> FloatArray:
    """(..., 1): as the candidate network, whose trunk it goes on from."""
    return candidates_input(hu)


def outline_input(
    hu: NDArray[np.generic], spacing_mm: NDArray[np.generic], off_mm: NDArray[np.generic]
) -> FloatArray:
    """(n, y, x, OUTLINE_CHANNELS) from slabs (n, OUTLINE_SLICES, y, x), (n, 2) spacings (slice, pixel) and
    (n,)
    distances of the middle slice from the place in question.

    Each slice in two windows (-1000..400 HU; -200..300 HU to part a nodule from the chest wall), then the
    spacings and the distance as constant planes.
    """
    slices = np.concatenate([_window(hu, -1000, 400), _window(hu, -200, 300)], axis=1)
    told = np.log(
        np.asarray(spacing_mm, np.float32) / np.asarray([USUAL_SLICE_MM, USUAL_PIXEL_MM], np.float32)
    )
    far = np.minimum(np.abs(np.asarray(off_mm, np.float32)), 40)[:, None] / 10
    told = np.concatenate([told, far], axis=1)
    planes = np.broadcast_to(told[:, :, None, None], (*told.shape, *hu.shape[2:]))
    return np.ascontiguousarray(np.moveaxis(np.concatenate([slices, planes], axis=1), 1, -1), np.float32)


def without_place(given: FloatArray) -> FloatArray:
    """An `outline_input` that does not tell how far its slices lie from any place."""
    told = given.copy()
    told[..., -1] = 0
    return told


def malignancy_input(hu: NDArray[np.generic], outline: NDArray[np.generic], coarse: int) -> FloatArray:
    """(y, x, MALIGNANCY_CHANNELS) from slices (MALIGNANCY_SLICES, y, x) of HU and outline probability.

    -1000..400 HU, -200..800 HU for calcium, the outline, and a plane that tells the coarseness.
    """
    parts = [_window(hu, -1000, 400), _window(hu, -200, 800), np.asarray(outline, np.float32)]
    plane = np.full((1, *hu.shape[1:]), np.log(coarse), np.float32)
    return np.ascontiguousarray(np.moveaxis(np.concatenate([*parts, plane]), 0, -1), np.float32)
