"""An outline is one body without notches and holes, and no larger for it elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.cnn.outlines import (
    Look,
    first_look,
    grid_around,
    on_voxels,
    one_piece,
    without_gaps,
    without_islands,
)


def disc(radius: float, size: int = 32) -> NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(np.indices((size, size)) - size // 2, axis=0) <= radius)[None]


def test_a_ring_is_filled() -> None:
    ring = disc(9) & ~disc(5)

    assert (without_gaps(ring) == without_gaps(disc(9))).all()


def test_a_narrow_cleft_is_closed() -> None:
    cleft = disc(9).copy()
    cleft[:, 15:17, 16:] = False

    assert without_gaps(cleft)[0, 15, 18]


def test_a_plain_disc_stays_as_it_is() -> None:
    assert abs(int(without_gaps(disc(8)).sum()) - int(disc(8).sum())) < 0.02 * disc(8).sum()


def test_two_bodies_far_apart_are_not_joined() -> None:
    apart = np.roll(disc(4), -9, axis=1) | np.roll(disc(4), 9, axis=1)

    assert not without_gaps(apart)[0, 16, 16]


def test_an_island_in_a_slice_is_left_out_and_a_part_of_like_size_is_kept() -> None:
    nodule, vessel, twin = disc(8, 64), np.roll(disc(2, 64), 13, axis=2), np.roll(disc(7, 64), 20, axis=2)

    assert (without_islands(nodule | vessel) == nodule).all()
    assert (without_islands(nodule | twin) == (nodule | twin)).all()


def test_of_two_pieces_the_one_at_the_middle_is_taken() -> None:
    probability = np.zeros((1, 32, 32), np.float32)
    probability[0, 15:18, 15:18] = 0.9
    probability[0, 2:9, 2:9] = 0.99
    distance = np.linalg.norm(np.indices((1, 32, 32)) - np.array([0, 16, 16])[:, None, None, None], axis=0)

    piece = one_piece(probability, distance.astype(np.float32), 4.0)

    assert piece[0, 16, 16] >= 0.5
    assert piece[0, 4, 4] == 0


@pytest.mark.parametrize(
    ("spacing", "pixel", "step"),
    [
        ((1.25, 0.7, 0.7), 0.7, 1.25),
        ((0.625, 0.7, 0.7), 0.7, 1.25),
        ((2.5, 0.9, 0.9), 0.9, 2.5),
        ((1.0, 1.4, 1.4), 0.7, 1.0),
        ((1.0, 0.3, 0.3), 0.7, 1.0),
    ],
)
def test_the_scans_own_pixels_are_looked_at_where_they_are_of_usual_size(
    spacing: tuple[float, float, float], pixel: float, step: float
) -> None:
    grid = grid_around(spacing, (40.0, 100.0, 100.0), first_look(8.0))

    assert grid.spacing_mm == pytest.approx((step, pixel, pixel))


def test_a_mass_is_looked_at_on_wider_pixels() -> None:
    assert first_look(60.0).coarse == 3
    assert grid_around((1.0, 0.7, 0.7), (100.0, 100.0, 100.0), Look(3, 49.0)).spacing_mm == pytest.approx(
        (3.0, 2.1, 2.1)
    )


def test_an_outline_on_the_scans_own_grid_comes_back_voxel_for_voxel() -> None:
    probability = np.zeros((5, 64, 64), np.float32)
    probability[2, 30:35, 31:34] = 1
    spacing = (1.25, 0.7, 0.7)
    first = (10 * 1.25, 20 * 0.7, 40 * 0.7)

    start, mask = on_voxels(probability, first, spacing, spacing, (40, 200, 200))

    assert start == (12, 50, 71)
    assert mask.shape == (1, 5, 3)
    assert mask.all()
