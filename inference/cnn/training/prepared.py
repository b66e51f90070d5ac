"""What a task hands to the training loop, and how patients are dealt to folds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import keras

Batch = tuple[Any, Any]
Figures = dict[str, float]
SCORE = "score"


class DivergedError(RuntimeError):
    """The loss is no number any more."""


@dataclass(frozen=True)
class Fold:
    """Part `number` (from 0) of `of` parts of the patients: it is kept aside, the others are trained on.

    `turned`: the other way round, so that a task draws its batches from the patients kept aside.
    """

    number: int
    of: int
    turned: bool = False

    def __post_init__(self) -> None:
        if self.of < 2 or not 0 <= self.number < self.of:
            raise ValueError(f"There is no fold {self.number} of {self.of}: at least two, counted from 0.")

    def keeps(self, patient_id: str) -> Literal["train", "val"]:
        """Where a patient belongs; by the hash of the name, so independent of the other patients."""
        digest = hashlib.sha256(patient_id.encode()).digest()
        aside = int.from_bytes(digest[:8], "big") % self.of == self.number
        return "val" if aside is not self.turned else "train"


@dataclass(frozen=True)
class Prepared:
    """A compiled model, its random batches (x, y) with augmentation, and figures on patients kept aside.

    `validate` returns figures by name; those under `score` decide which weights are kept: higher is better.
    """

    model: keras.Model
    make: Callable[[np.random.Generator], Batch]
    validate: Callable[[keras.Model], Figures] | None = None
