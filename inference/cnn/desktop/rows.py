"""Findings as rows of a table: the same words and figures in the window, the CSV and the PDF."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from inference.cnn.reading import FoundNodule, VolumeReading
from inference.cnn.slices.read import PictureReading

TYPES = {"solid": "solid", "part_solid": "part-solid", "non_solid": "non-solid"}
HEAD = (
    "number", "slice", "x_mm", "y_mm", "z_mm", "long_axis_mm", "short_axis_mm", "mean_diameter_mm",
    "volume_mm3", "type", "side", "third", "p_nodule", "malignancy", "malignancy_low", "malignancy_high",
)  # fmt: skip
PICTURE_HEAD = ("number", "x_px", "y_px", "mean_diameter_mm", "p_nodule")
SHOWN = ("No.", "Slice", "Place", "Type", "Axes, mm", "Mean, mm", "Volume, mm³", "Nodule", "Suspicion")


@dataclass(frozen=True)
class Row:
    """One line for the eye, under `SHOWN`."""

    cells: tuple[str, ...]
    slice_index: int


def shown_rows(reading: VolumeReading | PictureReading) -> list[Row]:
    """Lines of the table in the window and in the PDF."""
    if isinstance(reading, PictureReading):
        return [_picture_row(k, o.p_nodule, o.diameter_mm) for k, o in enumerate(reading.outlines, 1)]
    return [_row(k, nodule) for k, nodule in enumerate(reading.findings, 1)]


def _picture_row(number: int, p_nodule: float, diameter_mm: float | None) -> Row:
    size = f"{diameter_mm:.1f}" if diameter_mm else "–"
    return Row((str(number), "–", "–", "–", "–", size, "–", f"{p_nodule:.2f}", "–"), 0)


def _row(number: int, nodule: FoundNodule) -> Row:
    cells = (
        str(number),
        str(nodule.slice_index + 1),
        " ".join(word for word in (nodule.side, nodule.character.third) if word),
        TYPES[nodule.type],
        f"{nodule.long_axis_mm:.1f} × {nodule.short_axis_mm:.1f}",
        f"{nodule.mean_diameter_mm:.1f}",
        f"{nodule.volume_mm3:.0f}",
        f"{nodule.p_nodule:.2f}",
        f"{nodule.malignancy:.2f} ({nodule.malignancy_low:.2f}–{nodule.malignancy_high:.2f})",
    )
    return Row(cells, nodule.slice_index)


def as_csv(reading: VolumeReading | PictureReading) -> str:
    """Findings with a header line; places of scans in LPS millimetres, of pictures in pixels."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if isinstance(reading, PictureReading):
        writer.writerow(PICTURE_HEAD)
        for number, outline in enumerate(reading.outlines, 1):
            x, y = (sum(v) / len(outline.points) for v in zip(*outline.points, strict=True))
            writer.writerow([number, round(x, 1), round(y, 1), outline.diameter_mm or "", outline.p_nodule])
    else:
        writer.writerow(HEAD)
        writer.writerows(_values(k, nodule) for k, nodule in enumerate(reading.findings, 1))
    return file.getvalue()


def _values(number: int, nodule: FoundNodule) -> list[object]:
    sizes = (nodule.long_axis_mm, nodule.short_axis_mm, nodule.mean_diameter_mm)
    chances = (nodule.p_nodule, nodule.malignancy, nodule.malignancy_low, nodule.malignancy_high)
    return [
        number,
        nodule.slice_index + 1,
        *(round(v, 2) for v in nodule.center_mm),
        *(round(v, 1) for v in sizes),
        round(nodule.volume_mm3),
        nodule.type,
        nodule.side,
        nodule.character.third or "",
        *(round(v, 3) for v in chances),
    ]


def summary(reading: VolumeReading | PictureReading) -> str:
    """One sentence over the table."""
    if isinstance(reading, PictureReading):
        return _picture_summary(reading)
    count = len(reading.findings)
    found = "No nodule was found" if not count else f"{count} nodule{'s' if count > 1 else ''} found"
    return (
        f"{found}. Scan probability {reading.scan_probability:.2f}, confidence {reading.confidence}, "
        f"lungs {reading.lung_ml / 1000:.1f} l."
    )


def _picture_summary(reading: PictureReading) -> str:
    remarks = " ".join(r.sentence for r in reading.remarks)
    if reading.label is None or reading.probability is None:
        return remarks
    said = f"{reading.label.capitalize()} {reading.probability:.0%}, confidence {reading.confidence}."
    return " ".join(part for part in (said, reading.outline_note, remarks) if part)
