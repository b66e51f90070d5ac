"""Which of the known layouts a folder has."""

from __future__ import annotations

import csv
from enum import StrEnum
from pathlib import Path

from scans.dicom.refusal import Refused

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


class Layout(StrEnum):
    """The value is what a person calls it."""

    LIDC_CROPS = "LIDC-IDRI nodule crops (SPLIT_nodules.csv with shards)"
    LIDC_DICOM = "LIDC-IDRI as published (DICOM with reading XML)"
    LUNA16_SCANS = "LUNA16 as published (subset*/UID.mhd with annotations.csv)"
    LUNA16_PATCHES = "LUNA16 candidate patches (patches.csv with patches.zip)"
    WHOLE_SCANS = "whole chest volumes (scans.csv)"
    PICTURE_TABLE = "pictures with a table (images.csv: file, label)"
    PICTURES_AND_MASKS = "pictures with masks (images/ and masks/)"
    CLASS_FOLDERS = "pictures in class folders"


def recognise(folder: Path) -> tuple[Layout, Path]:
    """The layout of `folder`, and the folder that has it, which may lie one level down as `lidc/`.

    Raises
    ------
    Refused : none of the known layouts; the sentence lists them.
    FileNotFoundError : there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    layout = _layout(folder)
    if layout is not None:
        return layout, folder
    if (folder / "lidc").is_dir() and (inner := _layout(folder / "lidc")) is not None:
        return inner, folder / "lidc"
    if any(folder.rglob("*.xml*")) and any(folder.rglob("*.dcm")):
        return Layout.LIDC_DICOM, folder
    known = "; ".join(Layout)
    raise Refused("UNKNOWN_LAYOUT", f"The folder {folder.name} has none of the known layouts: {known}.")


def _layout(folder: Path) -> Layout | None:
    tests = {
        Layout.LIDC_CROPS: any(folder.glob("*_nodules.csv")),
        Layout.LUNA16_PATCHES: _all(folder, "patches.csv", "patches.zip"),
        Layout.LUNA16_SCANS: any(folder.glob("subset*/*.mhd")),
        Layout.WHOLE_SCANS: _all(folder, "scans.csv", "nodules.csv"),
        Layout.PICTURE_TABLE: _all(folder, "images.csv") and "label" in columns(folder / "images.csv"),
        Layout.PICTURES_AND_MASKS: _all(folder, "images", "masks"),
        Layout.CLASS_FOLDERS: len(class_folders(folder)) > 1,
    }
    return next((layout for layout, fits in tests.items() if fits), None)


def _all(folder: Path, *names: str) -> bool:
    return all((folder / name).exists() for name in names)


def columns(table: Path) -> list[str]:
    with table.open(newline="") as stream:
        return next(csv.reader(stream), [])


def class_folders(folder: Path) -> list[Path]:
    """Folders directly below that hold pictures: each name is a class."""
    inner = sorted(p for p in folder.iterdir() if p.is_dir())
    return [p for p in inner if any(f.suffix.lower() in PICTURES for f in p.iterdir())]
