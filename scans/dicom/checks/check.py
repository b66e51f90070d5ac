"""One outcome of the acquisition checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from scans.dicom.refusal import Refused

Value = float | str | None

# What a person should be told first when several checks refuse.
WEIGHT = (
    "E_MODALITY",
    "E_IMAGETYPE",
    "E_MULTIFRAME",
    "E_NOTAXIAL",
    "E_BODYPART",
    "E_AGE",
    "E_THICK",
    "E_COMPRESS",
    "E_RESCALE",
    "E_GEOM",
    "E_MIXED",
    "E_MISSING",
    "E_FEW",
)


class Level(StrEnum):
    """REFUSE: no network reads the series. WARN: shown with the result. INFO: a hint."""

    REFUSE = "REFUSE"
    WARN = "WARN"
    INFO = "INFO"


@dataclass(frozen=True)
class Check:
    """A check that spoke up: what was found, the limit it is held against, and the sentence for the user."""

    code: str
    level: Level
    value: Value
    limit: Value
    sentence: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        return cls(**{**stored, "level": Level(stored["level"])})


def check(code: str, sentence: str, value: Value = None, limit: Value = None) -> Check:
    """A check whose level follows from the first letter of its code."""
    level = {"E": Level.REFUSE, "W": Level.WARN, "I": Level.INFO}[code[0]]
    return Check(code, level, value, limit, sentence)


def as_check(refused: Refused) -> Check:
    """A refusal of the volume builder as a check that refuses."""
    return Check(refused.code, Level.REFUSE, None, None, refused.sentence)


def refuse(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks that forbid reading, weightiest first; empty if the series may be read."""
    refusing = [one for one in checks if one.level is Level.REFUSE]
    return tuple(
        sorted(refusing, key=lambda one: WEIGHT.index(one.code) if one.code in WEIGHT else len(WEIGHT))
    )


def reason(checks: Iterable[Check]) -> str:
    """Why the series is not read, in one line; empty if it may be read."""
    return " ".join(dict.fromkeys(one.sentence for one in refuse(checks)))
