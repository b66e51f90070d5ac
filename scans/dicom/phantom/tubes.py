"""Vessels and airways as tapered tubes, painted into a volume of coverage (0 to 255)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Path = list[tuple[float, float, float, float]]
LONGEST_MM = 10.0


@dataclass(frozen=True)
class Tubes:
    """Straight tapered pieces: ends (n, 3) as x, y, z in body mm, radii (n,) in mm."""

    start: Points
    end: Points
    start_radius: NDArray[np.float64]
    end_radius: NDArray[np.float64]

    @classmethod
    def along(cls, path: Path) -> Tubes:
        """A tube through points given as x, y, z, radius."""
        nodes = np.asarray(path, float)
        return cls(nodes[:-1, :3], nodes[1:, :3], nodes[:-1, 3], nodes[1:, 3])

    def __add__(self, other: Tubes) -> Tubes:
        return Tubes(
            np.concatenate([self.start, other.start]),
            np.concatenate([self.end, other.end]),
            np.concatenate([self.start_radius, other.start_radius]),
            np.concatenate([self.end_radius, other.end_radius]),
        )

    def grown(self, factor: float, offset: float = 0.0) -> Tubes:
        """The same tubes with other radii."""
        return Tubes(
            self.start, self.end, factor * self.start_radius + offset, factor * self.end_radius + offset
        )


@dataclass(frozen=True)
class Canvas:
    """A coverage volume (z, y, x) with its grid: body mm of the first voxel and of the step, as x, y, z."""

    coverage: NDArray[np.uint8]
    origin: tuple[float, float, float]
    step: tuple[float, float, float]

    def paint(self, tubes: Tubes) -> None:
        lengths = np.linalg.norm(tubes.end - tubes.start, axis=1)
        for index, length in enumerate(lengths):
            pieces = max(1, int(np.ceil(length / LONGEST_MM)))
            start, way = tubes.start[index], tubes.end[index] - tubes.start[index]
            radius, change = tubes.start_radius[index], tubes.end_radius[index] - tubes.start_radius[index]
            for a, b in ((k / pieces, (k + 1) / pieces) for k in range(pieces)):
                self._piece(start + way * a, start + way * b, radius + change * a, radius + change * b)

    def _piece(self, start: Points, end: Points, start_radius: float, end_radius: float) -> None:
        margin = max(start_radius, end_radius) + self.step[0]
        box = self._box(np.minimum(start, end) - margin, np.maximum(start, end) + margin)
        if box is None:
            return
        x, y, z = (
            (np.arange(part.start, part.stop) * step + origin).astype(np.float32)
            for part, step, origin in zip(box[::-1], self.step, self.origin, strict=True)
        )
        dx, dy, dz = x - start[0], (y - start[1])[:, None], (z - start[2])[:, None, None]
        way = end - start
        share = np.clip((dx * way[0] + dy * way[1] + dz * way[2]) / max(float(way @ way), 1e-9), 0, 1)
        square = (dx - share * way[0]) ** 2 + (dy - share * way[1]) ** 2 + (dz - share * way[2]) ** 2
        radius = start_radius + share * (end_radius - start_radius)
        faint = np.minimum(1, (radius / (0.8 * self.step[0])) ** 2)
        share_inside = np.clip((radius - np.sqrt(square)) / self.step[0] + 0.5, 0, 1) * faint
        target = self.coverage[box]
        np.maximum(target, (share_inside * 255).astype(np.uint8), out=target)

    def _box(self, low: Points, high: Points) -> tuple[slice, slice, slice] | None:
        parts = []
        for axis in (2, 1, 0):
            first = max(0, int(np.ceil((low[axis] - self.origin[axis]) / self.step[axis])))
            last = int(np.floor((high[axis] - self.origin[axis]) / self.step[axis])) + 1
            last = min(self.coverage.shape[2 - axis], last)
            if first >= last:
                return None
            parts.append(slice(first, last))
        return parts[0], parts[1], parts[2]
