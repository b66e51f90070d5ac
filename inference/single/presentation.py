"""What the page shows of an answered image, worked out so that the template decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inference.single.models import SingleImage

LEVEL = {"malignant": "high", "benign": "mid", "normal": "ok"}
WORDS = {"malignant": "Malignant", "benign": "Benign", "normal": "Normal"}


@dataclass(frozen=True)
class Share:
    """One class: its probability in words and whole per cent, and the colour of its bar, if any is due."""

    word: str
    said: str
    percent: int
    level: str
    leads: bool


@dataclass(frozen=True)
class Drawn:
    """One outline: the SVG path, where its number stands, and a line about it."""

    number: int
    path: str
    x: float
    y: float
    text: str


def shares(image: SingleImage) -> list[Share]:
    """Classes, most probable first; none where the picture was not classified."""
    told: dict[str, float] = image.answer.get("probabilities") or {}
    ordered = sorted(told.items(), key=lambda pair: -pair[1])
    doubtful = image.answer.get("confidence") == "low"
    return [_share(n, p, "" if doubtful else LEVEL[n], leads=k == 0) for k, (n, p) in enumerate(ordered)]


def _share(name: str, probability: float, level: str, *, leads: bool) -> Share:
    """Nothing is said to be certain: at the ends it is less than 1 or more than 99 %."""
    percent = round(100 * probability)
    said = "< 1 %" if percent < 1 else "> 99 %" if percent > 99 else f"{percent} %"
    return Share(WORDS[name], said, percent, level, leads)


def drawn(image: SingleImage) -> list[Drawn]:
    return [_drawn(k, one) for k, one in enumerate(image.answer.get("outlines", []), 1)]


def _drawn(number: int, outline: dict[str, Any]) -> Drawn:
    points = outline["points"]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"
    right, top = max(x for x, _ in points), min(y for _, y in points)
    size = f"{outline['diameter_mm']:.1f} mm" if outline["diameter_mm"] else "size unknown"
    return Drawn(number, path, right + 3, top, f"{size}, nodule probability {outline['p_nodule']:.2f}")
