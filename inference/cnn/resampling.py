"""Values of a volume on another regular grid: smoothed where it gets coarser, then linear."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from scans.dicom.geometry import Triple

FloatArray = NDArray[np.float32]
SLICES_AT_A_TIME = 24
LEAST_WEIGHT = 1e-7


def axis_matrix(n_in: int, positions: NDArray[np.floating], factor: float) -> FloatArray:
    """(n_out, n_in) weights for fractional input positions; outside the input the edge voxel repeats.

    `factor` is the output step in input voxels; above 1 a Gaussian of (factor - 1) / 2 voxels comes first.
    """
    clamped = np.clip(positions, 0, n_in - 1)
    low = np.minimum(clamped.astype(int), max(n_in - 2, 0))
    linear = np.zeros((len(positions), n_in))
    rows = np.arange(len(positions))
    linear[rows, low] = 1 - (clamped - low)
    linear[rows, np.minimum(low + 1, n_in - 1)] += clamped - low
    sigma = (factor - 1) / 2
    if sigma < 0.05:
        return linear.astype(np.float32)
    distance = np.arange(n_in)[:, None] - np.arange(n_in)[None, :]
    smooth = np.exp(-0.5 * (distance / sigma) ** 2)
    return np.asarray(linear @ (smooth / smooth.sum(axis=1, keepdims=True)), np.float32)


def _axis(
    n_in: int, step_in: float, first: float, n_out: int, step_out: float, smooth: bool
) -> tuple[slice, FloatArray]:
    """The part of one axis that is needed, and the weights onto it."""
    factor = step_out / step_in if smooth else 1.0
    positions = (first + np.arange(n_out) * step_out) / step_in
    margin = int(np.ceil(3 * max(factor - 1, 0))) + 2
    start = int(np.clip(np.floor(positions[0]) - margin, 0, n_in - 1))
    stop = int(np.clip(np.ceil(positions[-1]) + margin + 1, start + 1, n_in))
    return slice(start, stop), axis_matrix(stop - start, positions - start, factor)


def sample_grid(
    volume: NDArray[np.generic],
    spacing_mm: Triple,
    first_mm: Triple,
    shape: tuple[int, int, int],
    step_mm: Triple,
    *,
    smooth: bool = True,
) -> FloatArray:
    """Values at first + index * step, in mm along the array axes z, y, x from the centre of voxel 0."""
    axes = [
        _axis(volume.shape[i], spacing_mm[i], first_mm[i], shape[i], step_mm[i], smooth)
        for i in range(volume.ndim)
    ]
    block = np.asarray(volume[axes[0][0], axes[1][0], axes[2][0]], np.float32)
    flat = axes[0][1] @ block.reshape(block.shape[0], -1)
    block = flat.reshape(shape[0], *block.shape[1:])
    return np.asarray(np.matmul(axes[1][1], block) @ axes[2][1].T, np.float32)


def isotropic(volume: NDArray[np.generic], spacing_mm: Triple, step_mm: float) -> FloatArray:
    """The whole volume at one step along all axes, starting at voxel 0.

    A voxel depends on a handful of neighbours, so the weights are kept sparse (six times faster than dense
    ones here), and a few slices are made at a time, so that the volume in floats is never held.
    """
    lengths = [
        int(np.floor((n - 1) * s / step_mm)) + 1 for n, s in zip(volume.shape, spacing_mm, strict=True)
    ]
    weights = [
        _sparse(n, np.arange(count) * step_mm / s, step_mm / s)
        for n, count, s in zip(volume.shape, lengths, spacing_mm, strict=True)
    ]
    out = np.empty(lengths, np.float32)
    for start in range(0, lengths[0], SLICES_AT_A_TIME):
        rows = weights[0][start : start + SLICES_AT_A_TIME]
        low, high = rows.indices.min(), rows.indices.max() + 1
        block = np.asarray(volume[low:high], np.float32).reshape(high - low, -1)
        slices = (rows[:, low:high] @ block).reshape(-1, *volume.shape[1:])
        for number, plane in enumerate(slices, start):
            out[number] = (weights[2] @ np.ascontiguousarray((weights[1] @ plane).T)).T
    return out


def _sparse(n_in: int, positions: NDArray[np.floating], factor: float) -> Any:
    """`axis_matrix` without the weights that change no HU."""
    dense = axis_matrix(n_in, positions, factor)
    return sparse.csr_array(np.where(np.abs(dense) < LEAST_WEIGHT, 0, dense))
