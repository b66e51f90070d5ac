"""The findings as a PDF: one page of figures, then a picture of each finding's slice."""

from __future__ import annotations

import datetime
import io
import json
import shutil
import tempfile
from pathlib import Path

from inference.cnn.desktop.drawing import outlines_of, slice_picture
from inference.cnn.desktop.rows import SHOWN, shown_rows, summary
from inference.cnn.desktop.source import Scan, Source
from inference.cnn.reading import VolumeReading
from inference.cnn.slices.read import PictureReading

TEMPLATE = Path(__file__).with_name("report.typ")
PICTURE_PX = 640
MOST_PICTURES = 12
NOTE = (
    "Research software, not a medical device. Marks, measurements and scores may be wrong or incomplete; the "
    "absence of a mark excludes nothing. A radiologist decides. Suspicion is learned from radiologists' "
    "ratings, not from pathology."
)


def as_pdf(source: Source, reading: VolumeReading | PictureReading) -> bytes:
    """A PDF of what was found; the file name of the scan is left out, because it may name a patient."""
    import typst

    with tempfile.TemporaryDirectory(prefix="findings-") as name:
        folder = Path(name)
        pictures = _pictures(source, reading, folder)
        (folder / "data.json").write_text(json.dumps(_data(source, reading, pictures)))
        main = Path(shutil.copy(TEMPLATE, folder))
        return bytes(typst.compile(main, root=folder))


def _data(
    source: Source, reading: VolumeReading | PictureReading, pictures: list[dict[str, str]]
) -> dict[str, object]:
    return {
        "made": datetime.datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
        "summary": summary(reading),
        "voxels": _voxels(source),
        "head": list(SHOWN),
        "rows": [list(row.cells) for row in shown_rows(reading)],
        "pictures": pictures,
        "worth": reading.worth if isinstance(reading, PictureReading) else "",
        "networks": [f"{name} {sha256[:16]}" for name, sha256 in reading.networks.items()],
        "note": NOTE,
    }


def _voxels(source: Source) -> str:
    if not isinstance(source, Scan):
        rows, columns = source.picture.grey.shape
        return f"One picture of {columns} × {rows} pixels."
    z, y, x = source.hu.shape
    dz, dy, dx = source.geometry.spacing_mm
    return f"{z} slices of {x} × {y} voxels, {dx:.2f} × {dy:.2f} × {dz:.2f} mm each."


def _pictures(source: Source, reading: VolumeReading | PictureReading, folder: Path) -> list[dict[str, str]]:
    """The slices of the first findings; a picture is shown whether anything was found on it or not."""
    indices = [row.slice_index for row in shown_rows(reading)] if isinstance(source, Scan) else [0]
    made = []
    for index in list(dict.fromkeys(indices))[:MOST_PICTURES]:
        name = f"slice-{index}.png"
        file = io.BytesIO()
        box = (PICTURE_PX, PICTURE_PX)
        slice_picture(source, index, "lung", box, outlines_of(reading, index)).save(file, "PNG")
        (folder / name).write_bytes(file.getvalue())
        made.append(
            {"file": name, "text": f"Slice {index + 1}" if isinstance(source, Scan) else "The picture"}
        )
    return made
