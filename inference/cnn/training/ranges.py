"""What the training scans look like: `python -m inference.cnn.training.ranges --data DIR`."""

from __future__ import annotations

import argparse
import csv
import lzma
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.cnn.familiarity import GRID_MM, grey_values, noise_of
from inference.cnn.resampling import sample_grid


def _load(path: Path) -> NDArray[np.uint8]:
    with lzma.open(path) as stream:
        return np.asarray(np.load(stream), np.uint8)


def whole_scans(folder: Path, split: str) -> Iterator[str]:
    """Percentiles and noise of each whole scan."""
    with (folder / "scans.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    for row in rows:
        shape = (int(row["nz"]), int(row["ny"]), int(row["nx"]))
        hu8 = np.cumsum(_load(folder / f"{row['name']}_hu8.npy.xz"), axis=-1, dtype=np.uint8)
        bits = np.unpackbits(_load(folder / f"{row['name']}_lungs.npy.xz"), count=int(np.prod(shape)))
        spacing = (float(row["spacing_z"]), float(row["spacing_y"]), float(row["spacing_x"]))
        found = grey_values(hu8.astype(np.int16) * 8 - 1024, bits.reshape(shape).astype(bool), spacing)
        if found is not None:
            quantiles = ", ".join(f"{value:.0f}" for value in found.quantiles)
            yield f"{row['name']}: HU {quantiles} (5th, 50th, 95th percentile), noise {found.noise_hu:.1f} HU"


def slice_noise(folder: Path, split: str) -> NDArray[np.float64]:
    """Noise of the airy lung in each wide slice of LIDC."""
    with (folder / f"{split}_wide.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    hu8 = np.cumsum(_load(folder / f"{split}_wide_hu8.npy.xz"), axis=-1, dtype=np.uint8)
    found = []
    for row, plane in zip(rows, hu8.astype(np.float32) * 8 - 1024, strict=True):
        pixel = float(row["spacing_x"])
        count = int(127 * pixel / GRID_MM) + 1
        steps, shape = (1.0, pixel, pixel), (1, count, count)
        coarse = sample_grid(plane[None], steps, (0.0, 0.0, 0.0), shape, (1.0, GRID_MM, GRID_MM))[0]
        found.append(noise_of(coarse, np.ones(coarse.shape, bool)))
    return np.array([one for one in found if one is not None])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="train")
    asked = parser.parse_args()
    for line in whole_scans(asked.data / "whole", asked.split):
        sys.stdout.write(f"{line}\n")
    noise = slice_noise(asked.data / "lidc", asked.split)
    told = ", ".join(f"{value:.1f}" for value in np.percentile(noise, [1, 50, 95, 99, 100]))
    sys.stdout.write(f"{len(noise)} wide slices: noise {told} HU (1st, 50th, 95th, 99th percentile, most)\n")
    with (asked.data / "lidc" / f"{asked.split}_nodules.csv").open() as stream:
        spacing = np.array([[float(r["spacing_z"]), float(r["spacing_y"])] for r in csv.DictReader(stream)])
    for name, values in zip(("slices", "pixels"), spacing.T, strict=True):
        sys.stdout.write(f"{name} of the nodules: {values.min():.2f} to {values.max():.2f} mm apart\n")


if __name__ == "__main__":
    main()
