"""What the report shows of detection, patches, slices and whole scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.cnn.evaluation import page, pictures, plots
from inference.cnn.evaluation.detection import Searched, eligible, hits, thin_stack
from inference.cnn.evaluation.froc import RATES, Marks, curve
from inference.cnn.evaluation.neighbours import Neighbourhood
from inference.cnn.evaluation.page import KeyRow, Section
from inference.cnn.evaluation.reduction import Patches
from inference.cnn.evaluation.sections import SHOWN, precision_recall_plot, roc_plot
from inference.cnn.evaluation.whole import Read


def froc_plot(sets: Mapping[str, Marks], unit: str) -> str:
    x = plots.Axis(f"false positives per {unit}", RATES[0], RATES[-1], RATES, log=True)
    lines = [plots.Line(name, list(zip(*_sampled(m), strict=True))) for name, m in sets.items()]
    return plots.plot("FROC", lines, x, plots.share_axis("sensitivity"))


def _sampled(marks: Marks) -> tuple[Any, Any]:
    rates = np.geomspace(RATES[0], RATES[-1], 80)
    return rates, np.interp(rates, *curve(marks))


def froc_rows(block: Mapping[str, Any], unit: str) -> list[KeyRow]:
    rows = [KeyRow(f"sensitivity at {rate:g} per {unit}", value) for rate, value in block["froc"]]
    cpm = KeyRow("mean of the seven (CPM)", block["cpm"], block["cpm_ci95"])
    return [KeyRow("nodules", block["n_nodules"]), *rows, cpm]


def froc_sections(marks: Marks, block: Mapping[str, Any]) -> list[Section]:
    return [
        Section("Key figures", block["protocol"], page.key_table(froc_rows(block, "scan"))),
        Section("Curve", "", page.plots([froc_plot({"marks": marks}, "scan")])),
    ]


def _marked(one: Searched, voxel: Any, text: str) -> str:
    """The slice of a mark with the readers' outlines and a small turquoise ring about the mark."""
    z, row, column = np.rint(voxel).astype(int)
    z = int(np.clip(z, 0, one.case.nodule.hu.shape[0] - 1))
    plane = one.case.nodule.hu[z]
    rows, columns = np.indices(plane.shape)
    ring = (rows - row) ** 2 + (columns - column) ** 2 <= 9
    outlines = [
        pictures.Outline(one.case.nodule.votes[z] > 0, pictures.THEIRS),
        pictures.Outline(ring, pictures.OURS),
    ]
    return pictures.figure(pictures.picture(plane, outlines), text)


def _alarms(searched: Sequence[Searched], known: Neighbourhood) -> list[tuple[float, Searched, Any]]:
    found = [
        (score, one, voxel)
        for one in searched
        for voxel, score in thin_stack(one)
        if not hits(one.case, voxel) and not known.marked(one.case, voxel)
    ]
    return sorted(found, key=lambda a: -a[0])


def _missed(searched: Sequence[Searched], threshold: float) -> list[Searched]:
    def best(one: Searched) -> float:
        return max((s for voxel, s in thin_stack(one) if hits(one.case, voxel)), default=0.0)

    return sorted((s for s in searched if eligible(s.case) and best(s) < threshold), key=best)


def detection_sections(
    searched: Sequence[Searched], known: Neighbourhood, sets: Mapping[str, Marks], block: Mapping[str, Any]
) -> list[Section]:
    shipped = block["at_shipped_threshold"]
    missed = _missed(searched, shipped["threshold"])[:SHOWN]
    missed_pictures = [
        _marked(s, s.case.center, f"{s.case.nodule.longest_mm:.0f} mm, {s.case.nodule.nodule_id}")
        for s in missed
    ]
    loudest = [
        _marked(one, voxel, f"p {score:.2f}, {one.case.nodule.nodule_id}")
        for score, one, voxel in _alarms(searched, known)[:SHOWN]
    ]
    return [
        Section("Key figures", block["protocol"], page.key_table(froc_rows(block, "5 litres"))),
        Section("Curve", "", page.plots([froc_plot(sets, "5 litres")])),
        Section(
            "Missed at the shipped threshold",
            f"Sensitivity {shipped['sensitivity']:.3f} at threshold {shipped['threshold']}. Amber: any "
            "reader's outline; turquoise: the centre.",
            page.cases(missed_pictures),
        ),
        Section(
            "Loudest false positives",
            "Turquoise: the mark; amber: readers' outlines of the nodule that the crop was cut for.",
            page.cases(loudest),
        ),
    ]


def _patch(given: Patches, index: int, score: float) -> str:
    hu = (given.images[index].astype(np.int16) * (1400 / 255) - 1000).astype(np.int16)
    return pictures.figure(pictures.picture(hu, []), f"score {score:.2f}")


def reduction_sections(given: Patches, scores: Any, block: Mapping[str, Any]) -> list[Section]:
    order = np.argsort(scores)
    low = [int(i) for i in order if given.label[i]][:SHOWN]
    high = [int(i) for i in order[::-1] if not given.label[i]][:SHOWN]
    rows = [
        KeyRow("patches", block["n"]),
        KeyRow("AUC", block["auc"], block["auc_ci95"], "boosting on 10 x 10 pixels 0.90"),
        KeyRow("sensitivity at 1 % false positives", block["sensitivity_at_fpr_1pct"]),
    ]
    drawings = [roc_plot({"network": scores}, given.label), precision_recall_plot(scores, given.label)]
    return [
        Section("Key figures", block["protocol"], page.key_table(rows)),
        Section("Plots", "", page.plots(drawings)),
        Section("Nodules with the lowest scores", "", page.cases([_patch(given, i, scores[i]) for i in low])),
        Section("Others with the highest", "", page.cases([_patch(given, i, scores[i]) for i in high])),
    ]


def slices_sections(block: Mapping[str, Any]) -> list[Section]:
    plain = {k: v for k, v in block.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    rows = [KeyRow(name.replace("_", " "), value) for name, value in plain.items()]
    sections = [Section("Key figures", block["protocol"], page.key_table(rows))]
    counts = block.get("confusion")
    if isinstance(counts, list):
        table = plots.confusion(
            block.get("classes", ["normal", "benign", "malignant"]), counts, "truth", "told"
        )
        sections.append(Section("Confusion", "", table))
    return sections


def _finding(one: Read, rank: int) -> str:
    finding, half = one.reading.findings[rank - 1], 32
    z, plane = finding.slice_index, one.scan.hu[finding.slice_index]
    mask = np.zeros(plane.shape, bool)
    top, left = finding.start[1:]
    section = finding.mask[z - finding.start[0]]
    mask[top : top + section.shape[0], left : left + section.shape[1]] = section
    row, column = np.argwhere(mask).mean(axis=0)
    window, outlined = pictures.around(plane, mask, row, column, 2 * half)
    png = pictures.picture(window, [pictures.Outline(outlined, pictures.OURS)])
    text = f"{one.scan.name}, rank {rank}, p {finding.p_nodule:.2f}, {finding.mean_diameter_mm:.0f} mm"
    return pictures.figure(png, text)


def whole_sections(read: Sequence[Read], block: Mapping[str, Any]) -> list[Section]:
    known = [
        [name, f"{k['diameter_mm']:.0f} mm", str(k["readers"]), str(k["rank"] or "not found")]
        for name, scan in block["scans"].items()
        for k in scan["known"]
    ]
    scans = [
        [
            name,
            "yes" if s["trained_on"] else "no",
            str(s["findings"]),
            str(s["unmarked"]),
            f"{s['seconds']} s",
        ]
        for name, s in block["scans"].items()
    ]
    unmarked = [_finding(r, rank) for r in read for rank, _ in r.unmarked]
    return [
        Section(
            "Scans",
            f"{block['protocol']} Median of findings nobody marked: {block['unmarked_median']:g}; on scans "
            f"never trained on: {block['unmarked_median_held_out']:g}.",
            page.table(["scan", "trained on", "findings", "nobody marked", "read in"], scans),
        ),
        Section("Known lesions", "Rank among the findings of the scan.", page.table(
            ["scan", "diameter", "readers", "rank"], known
        )),
        Section("Findings that nobody marked", "Some may be right: most scans have no full truth.",
                page.cases(unmarked)),
    ]  # fmt: skip
