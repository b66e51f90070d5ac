"""Bars and pictures for the report, as SVG and data addresses: the page is one file."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT, LEFT, BOTTOM = 360, 150, 8, 22
COLOURS = ("#3f8fd2", "#e08a3c", "#5aa874", "#a77bc0", "#c75d6a")
BINS = 28
PICTURE_PX = 112


def histogram(title: str, groups: Mapping[str, Sequence[float]]) -> str:
    """One line per group over common bins, as shares of each group, so that groups can be compared."""
    known = {name: np.asarray(v, float) for name, v in groups.items() if len(v)}
    if not known:
        return ""
    together = np.concatenate(list(known.values()))
    low, high = np.quantile(together, [0.002, 0.998])
    if high <= low:
        return _single(title, float(low))
    edges = np.linspace(low, high, BINS + 1)
    shares = {n: np.histogram(np.clip(v, low, high), edges)[0] / len(v) for n, v in known.items()}
    top, cut = _top(list(shares.values()))
    steps = [_steps(np.minimum(s / top, 1), COLOURS[i % len(COLOURS)]) for i, s in enumerate(shares.values())]
    axis = "".join(_tick(f, float(low + f * (high - low))) for f in (0.0, 0.5, 1.0))
    return _figure(title + cut, list(shares), f"{''.join(steps)}{axis}")


def _top(shares: list[NDArray[np.float64]]) -> tuple[float, str]:
    """Height of the scale: one bin that towers over all others (black around a body) is cut."""
    highest = np.sort(np.max(shares, axis=0))[::-1]
    if highest[0] > 4 * highest[1] > 0:
        return float(highest[1] * 1.25), f", tallest bar cut off ({highest[0]:.0%})"
    return float(highest[0]), ""


def _single(title: str, value: float) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption><p class=one>{value:g} everywhere</p></figure>"


def _steps(heights: NDArray[np.float64], colour: str) -> str:
    width = (WIDTH - 2 * LEFT) / len(heights)
    floor = HEIGHT - BOTTOM
    points = [f"{LEFT:.1f},{floor}"]
    for i, h in enumerate(heights):
        y = floor - h * (floor - 6)
        points += [f"{LEFT + i * width:.1f},{y:.1f}", f"{LEFT + (i + 1) * width:.1f},{y:.1f}"]
    points.append(f"{WIDTH - LEFT:.1f},{floor}")
    return (
        f'<polygon points="{" ".join(points)}" fill="{colour}" fill-opacity=".22" stroke="{colour}"'
        ' stroke-width="1.5"/>'
    )


def _tick(fraction: float, value: float) -> str:
    x = LEFT + fraction * (WIDTH - 2 * LEFT)
    anchor = ("start", "middle", "end")[round(fraction * 2)]
    return f'<text x="{x:.0f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{value:.4g}</text>'


def _figure(title: str, names: list[str], drawn: str) -> str:
    legend = "".join(
        f'<span><i style="background:{COLOURS[i % len(COLOURS)]}"></i>{escape(n)}</span>'
        for i, n in enumerate(names)
        if len(names) > 1
    )
    return (
        f"<figure><figcaption>{escape(title)}<span class=legend>{legend}</span></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{drawn}</svg></figure>'
    )


def picture(grey: NDArray[np.uint8], caption: str) -> str:
    """A picture at most 112 px wide with what it is below."""
    small = Image.fromarray(grey)
    factor = PICTURE_PX / max(small.size)
    size = (max(round(small.width * factor), 1), max(round(small.height * factor), 1))
    buffer = io.BytesIO()
    small.resize(size, Image.Resampling.LANCZOS).save(buffer, "PNG")
    address = base64.b64encode(buffer.getvalue()).decode()
    told = escape(caption)
    image = f'<img src="data:image/png;base64,{address}" alt="{told}">'
    return f"<figure class=pic>{image}<figcaption>{told}</figcaption></figure>"
