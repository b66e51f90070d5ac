"""In which precision this computer reads: chosen once per process by a short test.

Weights stay float32 everywhere. In bfloat16 only the convolutions of the candidate network compute, which are
most of a reading; the heads of all networks, and the smaller networks whole, stay in float32. Processors
without bfloat16 instructions are slower with it, so a test convolution decides.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

Precision = Literal["float32", "bfloat16"]

SETTING = "LUNGPORTAL_PRECISION"
WORTH = 1.15
ROUNDS = 5
SIDE, FILTERS = 40, 32


@dataclass(frozen=True)
class SelfTest:
    """Seconds that the test convolution took in each precision, best of ROUNDS."""

    float32_s: float
    bfloat16_s: float

    @property
    def better(self) -> Precision:
        """bfloat16 only where it is clearly faster, so that noise does not change what a computer says."""
        return "bfloat16" if self.bfloat16_s * WORTH < self.float32_s else "float32"


def self_test() -> SelfTest:
    """Time a convolution like those of the candidate network in both precisions, in turns; under 1 s."""
    import tensorflow as tf

    kinds = (tf.float32, tf.bfloat16)
    inputs = [
        (tf.ones((1, SIDE, SIDE, SIDE, FILTERS), k), tf.ones((3, 3, 3, FILTERS, FILTERS), k)) for k in kinds
    ]
    best = [float("inf")] * len(kinds)
    for _ in range(ROUNDS):
        for place, (image, kernel) in enumerate(inputs):
            best[place] = min(best[place], _seconds(functools.partial(_convolved, image, kernel)))
    return SelfTest(*best)


def _convolved(image: Any, kernel: Any) -> float:
    import tensorflow as tf

    return float(tf.nn.conv3d(image, kernel, (1, 1, 1, 1, 1), "SAME")[0, 0, 0, 0, 0])


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def wanted() -> Precision | None:
    """What the setting asks for; None where the self-test shall decide.

    Raises
    ------
    ValueError : the setting is none of auto, float32, bfloat16.
    """
    said = os.environ.get(SETTING, "auto")
    if said == "auto":
        return None
    for precision in get_args(Precision):
        if said == precision:
            return said  # type: ignore[return-value]
    raise ValueError(f"{SETTING} is {said!r}: set it to auto, float32 or bfloat16.")


@lru_cache(maxsize=1)
def precision() -> Precision:
    """The precision of the candidate network in this process: the setting's, or that of the self-test."""
    return wanted() or self_test().better
