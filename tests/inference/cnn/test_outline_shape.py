"""An outline is one body without notches and holes, and no larger for it elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.cnn.outlines import without_gaps


def ball(radius: float, size: int = 32) -> NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(np.indices((size,) * 3) - size // 2, axis=0) <= radius)


def test_a_hollow_ball_is_filled() -> None:
    hollow = ball(9) & ~ball(5)

    assert (without_gaps(hollow) == without_gaps(ball(9))).all()


def test_a_narrow_cleft_is_closed() -> None:
    cleft = ball(9)
    cleft[:, 14:17, 16:] = False

    assert without_gaps(cleft)[16, 15, 18]


def test_a_plain_ball_stays_as_it_is() -> None:
    whole = without_gaps(ball(8))

    assert abs(int(whole.sum()) - int(ball(8).sum())) < 0.02 * ball(8).sum()


def test_two_bodies_far_apart_are_not_joined() -> None:
    apart = np.roll(ball(4), -9, axis=1) | np.roll(ball(4), 9, axis=1)

    assert not without_gaps(apart)[16, 16, 16]
