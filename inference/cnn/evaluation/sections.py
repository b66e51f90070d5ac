"""What the report shows of outlines and ratings: tables, plots, best and worst cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.cnn.evaluation import figures, page, pictures, plots
from inference.cnn.evaluation.malignancy import Rated, labels, probabilities
from inference.cnn.evaluation.page import KeyRow, Section
from inference.cnn.evaluation.segmentation import Drawn, diameters

SHOWN = 12


def _slice_of(drawn: Drawn) -> int:
    """The slice with the largest consensus."""
    return int(np.argmax(drawn.case.consensus.sum(axis=(1, 2))))


def drawn_picture(drawn: Drawn, text: str) -> str:
    z = _slice_of(drawn)
    size = int(np.clip(drawn.case.nodule.longest_mm / drawn.case.nodule.spacing_mm[1] + 20, 36, 64))
    edge = (64 - size) // 2
    near = (slice(edge, edge + size), slice(edge, edge + size))
    outlines = [
        pictures.Outline(drawn.case.consensus[z][near], pictures.THEIRS),
        pictures.Outline(drawn.mask[z][near], pictures.OURS),
    ]
    return pictures.figure(pictures.picture(drawn.case.nodule.hu[z][near], outlines), text)


COLOURS = "Amber: consensus of the readers; turquoise: the network. Slice with the largest consensus."


def _dice_case(drawn: Drawn) -> str:
    nodule = drawn.case.nodule
    size = f"{nodule.diameter_mm:.0f} mm, {drawn.case.readers} readers"
    return drawn_picture(drawn, f"Dice {drawn.dice:.2f}, {size}, {nodule.nodule_id}")


def extremes(drawn: Sequence[Drawn]) -> list[Section]:
    ranked = sorted(drawn, key=lambda d: d.dice)
    count = min(SHOWN, len(ranked) // 2 or 1)
    best, worst = ranked[::-1][:count], ranked[:count]
    return [
        Section("Worst cases", COLOURS, page.cases([_dice_case(d) for d in worst])),
        Section("Best cases", COLOURS, page.cases([_dice_case(d) for d in best])),
    ]


def bland_altman(drawn: Sequence[Drawn]) -> str:
    """Difference against mean of the longest axes, with limits of agreement (1.96 standard deviations)."""
    ours, theirs = diameters(drawn)
    mean, gap = (ours + theirs) / 2, ours - theirs
    middle, spread = float(gap.mean()), 1.96 * float(gap.std())
    end = max(10.0, 10.0 * np.ceil(float(mean.max()) / 10))
    reach = max(5.0, 5.0 * np.ceil(float(np.abs(gap).max()) / 5))
    x = plots.Axis("mean of both, mm", 0, end, tuple(np.linspace(0, end, 6)))
    y = plots.Axis("ours minus consensus, mm", -reach, reach, tuple(np.linspace(-reach, reach, 5)))
    lines = [
        plots.Line("nodule", list(zip(mean, gap, strict=True)), "dots"),
        plots.Line(f"mean {middle:+.1f} mm", [(0, middle), (end, middle)]),
        plots.Line("", [(0, middle + spread), (end, middle + spread)], "faint"),
        plots.Line(f"limits ±{spread:.1f} mm", [(0, middle - spread), (end, middle - spread)], "faint"),
    ]
    return plots.plot("Bland-Altman of the longest diameter", lines, x, y)


def dice_against_size(drawn: Sequence[Drawn]) -> str:
    points = [(d.case.nodule.diameter_mm, d.dice) for d in drawn]
    x = plots.Axis("diameter of the consensus' ball, mm", 3, 50, (3, 5, 8, 15, 30, 50), log=True)
    line = plots.Line("nodule", points, "dots")
    return plots.plot("Dice by size", [line], x, plots.share_axis("Dice"))


def segmentation_rows(block: Mapping[str, Any]) -> list[KeyRow]:
    readers = f"a radiologist against the majority of the others: {page.number(block['dice_readers'])}"
    return [
        KeyRow("nodules of at least three readers", block["n_nodules"]),
        KeyRow("mean 3D Dice against the 50 % consensus", block["dice_mean"], block["dice_ci95"]),
        KeyRow("against the majority of the others", block["dice_vs_majority_of_others"], None, readers),
        KeyRow("pooled Dice", block["dice_pooled"]),
        KeyRow("mean error of the longest diameter, mm", block["diameter_mae_mm"]),
        KeyRow("volume bias from 6 mm up, %", block["volume_bias_percent"]),
    ]


def band_table(by: Mapping[str, Mapping[str, Any]]) -> str:
    """Figures by size band; the columns are the keys of the first band."""
    columns = list(next(iter(by.values())))
    rows = [[name, *(page.number(found[c]) for c in columns)] for name, found in by.items()]
    return page.table(["mm", *(c.replace("_", " ") for c in columns)], rows)


def segmentation_sections(drawn: Sequence[Drawn], figures_of: Mapping[str, Any]) -> list[Section]:
    many = [d for d in drawn if d.case.readers >= 3] or list(drawn)
    shown = figures_of if figures_of.get("n_nodules") else figures_of["all"]
    protocols = [
        (name, figures_of[name])
        for name in ("all", "extended", "end_to_end")
        if figures_of.get(name, {}).get("n_nodules")
    ]
    rows = [
        [name.replace("_", " "), str(b["n_nodules"]), page.number(b["dice_mean"])] for name, b in protocols
    ]
    return [
        Section("Key figures", figures_of["protocol"], page.key_table(segmentation_rows(shown))),
        Section("Size bands", "Ball diameter of the consensus.", band_table(shown["by_diameter_mm"])),
        Section(
            "Other protocols",
            "all: every nodule, whoever outlined it. extended: synthetic slices beyond the stack. "
            "end to end: the place comes from our own detector; a nodule that it misses counts 0.",
            page.table(["protocol", "nodules", "mean Dice"], rows),
        ),
        Section("Plots", "", page.plots([bland_altman(many), dice_against_size(many)])),
        *extremes(many),
    ]


def roc_plot(scores: Mapping[str, Any], label: Any) -> str:
    """ROC of several scores on the same cases."""
    lines = [
        plots.Line(f"{name} ({figures.auc(s, label):.3f})", list(zip(*figures.roc(s, label), strict=True)))
        for name, s in scores.items()
    ]
    chance = plots.Line("", [(0, 0), (1, 1)], "faint")
    axes = plots.share_axis("1 - specificity"), plots.share_axis("sensitivity")
    return plots.plot("ROC (area under the curve)", [*lines, chance], *axes)


def precision_recall_plot(score: Any, label: Any) -> str:
    points = list(zip(*figures.precision_recall(score, label), strict=True))
    share = float(np.mean(label))
    lines = [
        plots.Line("network", points),
        plots.Line("share of positives", [(0, share), (1, share)], "faint"),
    ]
    return plots.plot("Precision-recall", lines, plots.share_axis("recall"), plots.share_axis("precision"))


def calibration_plot(score: Any, label: Any) -> str:
    points = [(p, s) for p, s, _ in figures.calibration(score, label)]
    lines = [
        plots.Line("tenths of the cases", points, "both"),
        plots.Line("perfect", [(0, 0), (1, 1)], "faint"),
    ]
    axes = plots.share_axis("predicted"), plots.share_axis("share rated above 3")
    return plots.plot("Calibration", lines, *axes)


def malignancy_rows(block: Mapping[str, Any], many: Mapping[str, Any]) -> list[KeyRow]:
    return [
        KeyRow("nodules rated other than 3, any readers", block["n_nodules"]),
        KeyRow(
            "AUC", block["auc"], block["auc_ci95"], f"longest diameter {page.number(block['auc_diameter'])}"
        ),
        KeyRow(
            "AUC, at least three readers", many.get("auc"), many.get("auc_ci95"), f"n {many['n_nodules']}"
        ),
        KeyRow("AUC, features of our outline alone", block["auc_features"]),
        KeyRow("accuracy at 0.5", block["accuracy"]),
        KeyRow("sensitivity", block["sensitivity"]),
        KeyRow("specificity", block["specificity"]),
        KeyRow("Brier score", block["brier"]),
        KeyRow("expected calibration error", block["ece"]),
    ]


def _wrong(rated: Sequence[Rated]) -> list[Rated]:
    label = labels(rated)
    gap = np.abs(probabilities(rated) - label)
    return [rated[int(i)] for i in np.argsort(-gap)[:SHOWN]]


def _rated_case(one: Rated) -> str:
    text = (
        f"network {one.probability:.2f}, readers {one.case.malignancy:.1f} of 5, "
        f"{one.case.nodule.longest_mm:.0f} mm, {one.case.nodule.nodule_id}"
    )
    return drawn_picture(one.drawn, text)


def malignancy_sections(kept: Sequence[Rated], figures_of: Mapping[str, Any]) -> list[Section]:
    label, score = labels(kept), probabilities(kept)
    size = np.array([r.case.nodule.longest_mm for r in kept])
    said = score >= 0.5
    counts = [[int((~said & (label == t)).sum()), int((said & (label == t)).sum())] for t in (False, True)]
    rows = malignancy_rows(figures_of, figures_of["at_least_3_readers"])
    drawings = [
        roc_plot({"network": score, "longest diameter": size}, label),
        precision_recall_plot(score, label),
        calibration_plot(score, label),
    ]
    table = plots.confusion(["below 3", "above 3"], counts, "mean rating", "network at 0.5")
    return [
        Section("Key figures", figures_of["protocol"], page.key_table(rows)),
        Section("Size bands", "Longest diameter of the readers.", band_table(figures_of["by_diameter_mm"])),
        Section("Plots", "", page.plots(drawings)),
        Section("Decisions", "", table),
        Section("Furthest from the readers", COLOURS, page.cases([_rated_case(r) for r in _wrong(kept)])),
    ]
