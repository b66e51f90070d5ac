"""Whether a picture looks like what the networks can say something about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.slices.anatomy import Anatomy
from inference.cnn.slices.opening import Picture

COLOURFUL = 12.0
LONGEST_ASPECT = 2.0
SMALLEST_BODY = 0.08
SMALLEST_LUNG = 0.06
NOT_CT = "NOT_A_CHEST_CT"


@dataclass(frozen=True)
class Remark:
    """A doubt about the picture: a stable code and a sentence."""

    code: str
    sentence: str


def remarks_on(picture: Picture, found: Anatomy) -> list[Remark]:
    """Doubts that need no network; one with the code NOT_A_CHEST_CT forbids an answer."""
    said = [
        Remark(NOT_CT, f"This does not look like a chest CT slice: {why}.")
        for why in _against(picture, found)
    ]
    if not said and found.hollow < SMALLEST_LUNG:
        said.append(Remark("NO_LUNG", "No lung is seen in this picture. Send a slice through the chest."))
    if picture.hu is None and not said:
        said.append(
            Remark("NO_HOUNSFIELD", "A picture holds no Hounsfield units and no scale: no sizes are given.")
        )
    return said


def _against(picture: Picture, found: Anatomy) -> list[str]:
    rows, columns = picture.grey.shape
    why = []
    if picture.colour > COLOURFUL:
        why.append("it is in colour")
    if max(rows, columns) > LONGEST_ASPECT * min(rows, columns):
        why.append("it is far longer than wide")
    if found.body_share < SMALLEST_BODY:
        why.append("no body is seen on a dark ground")
    elif _bright_ground(picture, found):
        why.append("its ground is bright")
    return why[:1]


def _bright_ground(picture: Picture, found: Anatomy) -> bool:
    """Air around a patient is dark; a body that fills the picture has no ground to judge."""
    border = np.concatenate([picture.grey[[0, -1]].ravel(), picture.grey[:, [0, -1]].ravel()])
    return picture.hu is None and float(np.median(border)) > 90 and found.hollow < SMALLEST_LUNG


def familiar(features: NDArray[np.float32], told: Mapping[str, Any]) -> bool:
    """Whether the picture's features lie within what the training pictures showed, but for a few."""
    low, high = np.asarray(told["low"]), np.asarray(told["high"])
    return int(((features < low) | (features > high)).sum()) <= int(told["most_outside"])
