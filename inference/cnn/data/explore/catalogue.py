"""A data set as a list of pictures with what is known of each, whatever its layout."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.cnn.data.layout import Layout, recognise
from inference.cnn.data.nodules import nodule_samples, splits_of
from inference.cnn.data.phantoms import lung_window
from inference.cnn.data.pictures import PictureSample, class_samples, mask_samples, table_samples
from inference.cnn.training.lidc import LidcNodule, lidc_nodules
from inference.cnn.training.whole import whole_scans

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Item:
    """One picture.

    Attributes
    ----------
    patient : who or what must stay in one split; each item its own where nothing is known.
    series, position : slices of one stack and where they lie in it (mm, or a number); "" and None if unknown.
    other_splits : further columns that split the data, by their names.
    values : the numbers that histograms are made of: HU where there are any, grey values else.
    """

    name: str
    patient: str
    label: str
    split: str
    grey: Grey
    values: NDArray[np.int16] | Grey
    series: str = ""
    position: float | None = None
    other_splits: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """Slices of one stack at most `neighbour` apart (mm, or numbers) are neighbours."""

    name: str
    layout: Layout
    folder: Path
    items: list[Item]
    unit: str
    neighbour: float
    patients_known: bool = True


def catalogue(folder: Path) -> Catalogue:
    """Read a data set of any known layout.

    Raises
    ------
    Refused : another layout, or files that cannot be read.
    """
    layout, place = recognise(folder)
    made = READERS[layout](place)
    known = layout is not Layout.CLASS_FOLDERS
    pictures = layout in (Layout.PICTURE_TABLE, Layout.CLASS_FOLDERS, Layout.PICTURES_AND_MASKS)
    unit = "grey value" if pictures or layout is Layout.LUNA16_PATCHES else "HU"
    return Catalogue(place.name, layout, place, list(made), unit, 1.0 if pictures else 10.0, known)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _crops(folder: Path) -> Iterator[Item]:
    """The slice of each nodule with most votes."""
    for split in splits_of(folder):
        rows = {row["nodule_id"]: row for row in _rows(folder / f"{split}_nodules.csv")}
        for nodule in lidc_nodules(folder.parent, split):
            yield _nodule(nodule, split, rows[nodule.nodule_id])


def _nodule(nodule: LidcNodule, split: str, row: dict[str, str]) -> Item:
    k = int(nodule.votes.sum(axis=(1, 2)).argmax())
    mean = float(np.mean(nodule.malignancy)) if nodule.malignancy else None
    label = (
        "not rated" if mean is None else "rated < 3" if mean < 3 else "rated > 3" if mean > 3 else "rated 3"
    )
    figures = {
        "slice distance, mm": nodule.spacing_mm[0],
        "pixel, mm": nodule.spacing_mm[1],
        "diameter, mm": nodule.diameter_mm,
        "readers": float(len(nodule.masks)),
    }
    series = row.get("series_uid", "")
    first = row.get("z_first_mm")
    position = float(first) + k * nodule.spacing_mm[0] if first else None
    hu = nodule.hu[k]
    name, patient = nodule.nodule_id, nodule.patient_id
    return Item(name, patient, label, split, lung_window(hu), nodule.hu, series, position, figures=figures)


def _published(folder: Path) -> Iterator[Item]:
    """Nodules of LIDC-IDRI or LUNA16 as published."""
    for nodule in nodule_samples(folder):
        yield _nodule(nodule, "", {})


def _patches(folder: Path) -> Iterator[Item]:
    with zipfile.ZipFile(folder / "patches.zip") as archive:
        for row in _rows(folder / "patches.csv"):
            with Image.open(io.BytesIO(archive.read(row["file"]))) as picture:
                grey = np.asarray(picture.convert("L"), np.uint8)
            patient = row.get("patient_id") or f"group {row['group']}"
            label = "nodule" if row["label"] == "1" else "other"
            other = {name: row[name] for name in row if name.endswith("_split")}
            yield Item(
                row["file"], patient, label, row["split"], grey, grey, other_splits=other, figures=_size(grey)
            )


def _pictures(samples: Callable[[Path], Iterator[PictureSample]]) -> Callable[[Path], Iterator[Item]]:
    def items(folder: Path) -> Iterator[Item]:
        for sample in samples(folder):
            grey = sample.pixels()
            number = "".join(c for c in sample.path.stem if c.isdigit())
            name = sample.path.relative_to(folder).as_posix()
            series = sample.path.parent.name
            yield Item(
                name, sample.patient_id, sample.label or "not outlined", sample.split, grey, grey, series,
                float(number) if number else None, figures=_size(grey),
            )  # fmt: skip

    return items


def _size(grey: Grey) -> dict[str, float]:
    return {
        "width, px": float(grey.shape[1]),
        "height, px": float(grey.shape[0]),
        "mean grey": float(grey.mean()),
    }


def _whole(folder: Path) -> Iterator[Item]:
    """The middle slice of each scan."""
    for split in sorted({row["split"] for row in _rows(folder / "scans.csv")}):
        for scan in whole_scans(folder.parent, split):
            k = len(scan.hu) // 2
            nodules = sum(lesion.kind == "nodule" for lesion in scan.lesions)
            figures = {
                "slice distance, mm": scan.spacing_mm[0],
                "slices": float(len(scan.hu)),
                "known lesions": float(nodules),
            }
            label = "with a known lesion" if nodules else "without"
            yield Item(
                scan.name, scan.name, label, split, lung_window(scan.hu[k]), scan.hu[::4], scan.name,
                scan.origin_mm[2] + k * scan.spacing_mm[0], figures=figures,
            )  # fmt: skip


READERS: dict[Layout, Callable[[Path], Iterator[Item]]] = {
    Layout.LIDC_CROPS: _crops,
    Layout.LIDC_DICOM: _published,
    Layout.LUNA16_SCANS: _published,
    Layout.LUNA16_PATCHES: _patches,
    Layout.WHOLE_SCANS: _whole,
    Layout.PICTURE_TABLE: _pictures(table_samples),
    Layout.PICTURES_AND_MASKS: _pictures(mask_samples),
    Layout.CLASS_FOLDERS: _pictures(class_samples),
}
