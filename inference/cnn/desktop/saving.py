"""Findings as files."""

from __future__ import annotations

from pathlib import Path

from inference.cnn.desktop.report import as_pdf
from inference.cnn.desktop.rows import as_csv
from inference.cnn.desktop.source import Source
from inference.cnn.reading import VolumeReading
from inference.cnn.slices.read import PictureReading


def write(source: Source, reading: VolumeReading | PictureReading, path: Path) -> None:
    """Findings as PDF or CSV, by the name's ending."""
    if path.suffix.lower() == ".pdf":
        path.write_bytes(as_pdf(source, reading))
    else:
        path.write_text(as_csv(reading), encoding="utf-8")
