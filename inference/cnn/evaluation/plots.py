"""Plots as SVG without a library: lines, dots and a confusion table, coloured by the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite, log10
from typing import Literal

WIDTH, HEIGHT = 420, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 44
Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """Label, ends and ticks; logarithmic where `log`."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high end, clipped."""
        low, high, at = (self.low, self.high, value)
        if self.log:
            low, high, at = log10(low), log10(high), log10(max(value, self.low))
        return min(max((at - low) / (high - low), 0.0), 1.0)


@dataclass(frozen=True)
class Line:
    """A named series; `kind` "faint" is a dashed line to compare with."""

    name: str
    points: Sequence[Point]
    kind: Literal["line", "dots", "both", "faint"] = "line"


SHARE = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def share_axis(label: str) -> Axis:
    return Axis(label, 0.0, 1.0, SHARE)


def plot(name: str, lines: Sequence[Line], x: Axis, y: Axis) -> str:
    """One figure; `name` is what a screen reader says."""
    parts = [_frame(x, y), *(_series(line, number, x, y) for number, line in enumerate(lines, 1))]
    drawing = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">{"".join(parts)}</svg>'
    )
    return f'<figure class="plot">{drawing}{_legend(lines)}<figcaption>{escape(name)}</figcaption></figure>'


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)


def _tick(value: float) -> str:
    return f"{value:g}"


def _frame(x: Axis, y: Axis) -> str:
    parts = []
    for tick in x.ticks:
        at = _x(x, tick)
        parts.append(f'<path class="grid" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_tick(tick)}</text>'
        )
    for tick in y.ticks:
        at = _y(y, tick)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{_tick(tick)}</text>')
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{middle_x}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x.label)}</text>')
    turned = f'transform="rotate(-90 14 {middle_y})"'
    parts.append(f'<text x="14" y="{middle_y}" text-anchor="middle" {turned}>{escape(y.label)}</text>')
    return "".join(parts)


def _series(line: Line, number: int, x: Axis, y: Axis) -> str:
    points = [(_x(x, a), _y(y, b)) for a, b in line.points if isfinite(a) and isfinite(b)]
    if not points:
        return ""
    drawn = ""
    if line.kind != "dots":
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
        drawn += f'<path class="s{number} {line.kind}" d="M{path}"/>'
    if line.kind in ("dots", "both"):
        drawn += "".join(f'<circle class="s{number}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in points)
    return drawn


def _legend(lines: Sequence[Line]) -> str:
    named = (
        f'<span class="key s{number} {line.kind}">{escape(line.name)}</span>'
        for number, line in enumerate(lines, 1)
        if line.name
    )
    return f'<p class="legend">{"".join(named)}</p>'


def confusion(names: Sequence[str], counts: Sequence[Sequence[int]], rows: str, columns: str) -> str:
    """A table of counts, darker where a row's share is larger."""
    head = "".join(f"<th scope='col'>{escape(n)}</th>" for n in names)
    body = ""
    for name, row in zip(names, counts, strict=True):
        total = max(sum(row), 1)
        cells = "".join(_cell(count, total) for count in row)
        body += f"<tr><th scope='row'>{escape(name)}</th>{cells}</tr>"
    caption = f"<caption>Rows: {escape(rows)}; columns: {escape(columns)}</caption>"
    return f'<table class="confusion">{caption}<tr><td></td>{head}</tr>{body}</table>'


def _cell(count: int, total: int) -> str:
    share = count / total
    return f'<td class="cell d{round(9 * share)}">{count}<small>{100 * share:.0f} %</small></td>'
