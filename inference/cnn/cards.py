"""Model cards: their sections (Mitchell et al., FAT* 2019), their figures, and their text as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markdown_it import MarkdownIt

# What a card of foreign weights must at least speak of; headings count by their first words, in any case.
SECTIONS = ("data", "figures", "intended use", "where it fails")

# The figure that stands for a network in lists: name in the JSON of `evaluate`, and how it is called.
HEADLINES = {
    "candidates": (("cpm", "mean sensitivity"),),
    "reduction": (("auc", "AUC"), ("sensitivity_at_fpr_1pct", "sensitivity at 1 % false positives")),
    "seeker": (("cpm", "mean sensitivity"),),
    "patches": (("auc", "AUC"), ("sensitivity_at_fpr_1pct", "sensitivity at 1 % false positives")),
    "outline": (("dice_mean", "mean Dice"), ("diameter_mae_mm", "error of the diameter, mm")),
    "malignancy": (("auc", "AUC"), ("auc_diameter", "AUC of the diameter alone")),
    "slices": (("balanced_accuracy", "balanced accuracy"), ("auc_macro", "AUC")),
}


def missing_sections(card: str) -> list[str]:
    """Sections that a card does not have as a heading."""
    headings = [line.lstrip("#").strip().lower() for line in card.splitlines() if line.startswith("#")]
    return [name for name in SECTIONS if not any(h.startswith(name) for h in headings)]


def headline(network: str, metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, value) of the figures that stand for a network; none where they were not measured."""
    told = metrics.get(network, metrics)
    found = []
    for key, name in HEADLINES.get(network, ()):
        value = told.get(key) if isinstance(told, Mapping) else None
        if isinstance(value, int | float):
            found.append((name, f"{value:.3f}{_interval(told.get(f'{key}_ci95'))}"))
    return found


def _interval(ends: Any) -> str:
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        return ""
    return f" ({ends[0]:.3f}–{ends[1]:.3f})"


def rendered(card: str) -> str:
    """The card as HTML. Markup in the text stays text, links lead to web pages only, pictures are named.

    The first heading is left out: the page has one of its own.
    """
    lines = card.lstrip().splitlines()
    text = "\n".join(lines[1:] if lines and lines[0].startswith("# ") else lines)
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    html: str = reader.render(text)
    return html.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")
