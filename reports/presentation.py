"""How figures and states are put into words and signs: pure functions, no queries.

Colour is never the only carrier of meaning: every level has its own glyph and word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

HIGH, MIDDLE = 0.5, 0.2
"""From these scan probabilities on a study is marked ▲ or ◆: an order of reading, not a diagnosis."""

RUNNING = ("received", "waiting", "reading")


@dataclass(frozen=True)
class Sign:
    """A glyph with its level (a CSS class) and its word (for screen readers and titles)."""

    glyph: str
    level: str
    word: str


@dataclass(frozen=True)
class Chip:
    text: str
    tone: str = ""
    title: str = ""


def half_up(value: float, places: int) -> str:
    """Rounded half away from zero on the decimal as written, as CLINICAL 1.5 asks."""
    step = Decimal(1).scaleb(-places)
    return str(Decimal(str(value)).quantize(step, ROUND_HALF_UP))


def probability(value: float | None) -> str:
    """.81 — a share without its leading nought; nothing is called certain by rounding."""
    if value is None:
        return "–"
    if 0.995 <= value < 1:
        return ">.99"
    if 0 < value < 0.005:
        return "<.01"
    text = half_up(value, 2)
    return text if text.startswith("1") else text.removeprefix("0")


def millimetres(value: float | None) -> str:
    return "–" if value is None else f"{half_up(value, 1)} mm"


def thickness(value: float | None) -> str:
    """A slice thickness to 0.01 mm, as scanners give it: 1.25 mm, 1.0 mm."""
    if value is None:
        return ""
    text = half_up(value, 2)
    return f"{text.removesuffix('0')} mm"


def axes(long_mm: float | None, short_mm: float | None) -> str:
    """Long by short axis, each to 0.1 mm."""
    if long_mm is None:
        return ""
    if short_mm is None:
        return millimetres(long_mm)
    return f"{half_up(long_mm, 1)} × {half_up(short_mm, 1)} mm"


def cubic_millimetres(value: float | None) -> str:
    return "" if value is None else f"{half_up(value, 0)} mm³"


def percent(share: float) -> int:
    """Whole per cent, never 100 before the end."""
    return min(99, int(share * 100)) if share < 1 else 100


def suspicion(value: float | None) -> Sign:
    """The sign of a scan probability or of a malignancy rating."""
    if value is None:
        return Sign("○", "none", "no figure yet")
    if value >= HIGH:
        return Sign("▲", "high", "high suspicion")
    if value >= MIDDLE:
        return Sign("◆", "mid", "medium suspicion")
    return Sign("●", "low", "low suspicion")


def status_chip(status: str, review: str) -> Chip:
    """One chip for how far the machine and the people are."""
    if review == "final":
        return Chip("✓ signed", "ok")
    by_status = {
        "received": Chip("arriving", "busy"),
        "waiting": Chip("waiting", "busy"),
        "reading": Chip("reading", "busy"),
        "failed": Chip("✕ failed", "bad"),
        "not_read": Chip("⊘ not read", "bad"),
    }
    if status in by_status:
        return by_status[status]
    return Chip("in progress", "warn") if review == "draft" else Chip("unread")


def waiting(since: datetime, now: datetime) -> str:
    """How long a person has been waiting: 18 min, 1 h 40, 3 d."""
    minutes = max(0, int((now - since).total_seconds() // 60))
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d}"
    return f"{minutes // (24 * 60)} d"


def expected(seconds: float | None) -> str:
    """About how long; nothing where nobody can know."""
    if seconds is None:
        return ""
    if seconds < 8:
        return "a few seconds"
    if seconds < 90:
        return f"about {int(seconds / 5 + 0.5) * 5} s"
    if seconds < 90 * 60:
        return f"about {int(seconds / 60 + 0.5)} min"
    return f"about {int(seconds / 3600 + 0.5)} h"


def place_in_queue(ahead: int | None) -> str:
    """How many jobs come before this one; nothing where there is no job yet."""
    if ahead is None:
        return ""
    if ahead == 0:
        return "next in the queue"
    return f"{ahead} job{'s' if ahead > 1 else ''} ahead"


def progress_line(status: str, stage: str, progress: float, ahead: int | None, seconds: float | None) -> str:
    """What a study that is not settled is doing, in one line."""
    if status == "received":
        return stage or "images are arriving"
    if status == "waiting":
        parts = [place_in_queue(ahead) or stage or "waiting to be read", expected(seconds)]
    else:
        left = expected(seconds)
        parts = [stage or "reading", f"{percent(progress)} %", f"{left} left" if left else ""]
    return " · ".join(part for part in parts if part)


def more_findings(count: int) -> str:
    """What stands under the lead finding."""
    if count <= 1:
        return "single" if count else ""
    return "1 more finding" if count == 2 else f"{count - 1} more findings"


def meaning_of_scan(value: float, calibration: Sequence[Mapping[str, Any]] = ()) -> str:
    """The plain meaning of a scan probability.

    `calibration` is what the network's held-out evaluation measured: bins with `low`, `high`, `share`, `n`.
    Without it nothing is claimed about how often such a scan holds a suspicious nodule.
    """
    for part in calibration:
        if part["low"] <= value < part["high"] or value == part["high"] == 1:
            share = int(part["share"] * 100 + 0.5)
            return (
                f"Of 100 held-out scans with a score like this about {share} held a nodule that readers "
                f"called suspicious (n = {part['n']})."
            )
    return (
        "The networks’ estimate, from 0 to 1, that this scan holds a nodule that readers would call "
        "suspicious. How often that is true at this score has not been measured."
    )


@dataclass(frozen=True)
class Check:
    code: str
    level: str
    sentence: str

    @property
    def tone(self) -> str:
        return {"REFUSE": "bad", "WARN": "warn"}.get(self.level, "")


def checks_of(rows: Iterable[Mapping[str, Any]]) -> list[Check]:
    """The acquisition checks as stored, the gravest first."""
    order = {"REFUSE": 0, "WARN": 1}
    found = [
        Check(str(row.get("code", "")), str(row.get("level", "INFO")).upper(), str(row.get("sentence", "")))
        for row in rows
    ]
    return sorted(found, key=lambda check: order.get(check.level, 2))


def checks_chip(checks: Sequence[Check]) -> Chip:
    """One chip for all checks of a series."""
    grave = [check for check in checks if check.level in ("REFUSE", "WARN")]
    if any(check.level == "REFUSE" for check in grave):
        return Chip("⊘ checks refuse", "bad")
    if grave:
        return Chip(f"⚠ {len(grave)} warning{'s' if len(grave) > 1 else ''}", "warn")
    return Chip("✓ checks passed", "ok")


def is_open(status: str) -> bool:
    """Whether the machine still has something to do, so that a page should keep asking."""
    return status in RUNNING


def join(parts: Iterable[str]) -> str:
    """Parts of a line with dots between them, empty ones left out."""
    return " · ".join(part for part in parts if part)
