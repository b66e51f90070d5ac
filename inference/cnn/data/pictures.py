"""Folders of labelled pictures: a table, class folders, or pictures with masks."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from inference.cnn.data.layout import PICTURES, class_folders
from scans.dicom.refusal import Refused

LARGEST_PICTURE = 64 << 20


@dataclass(frozen=True)
class PictureSample:
    """One labelled picture. `patient_id` is the group that must stay together, as far as anybody said.

    Without a table that names patients each picture is its own: such a folder must not be split at random
    before somebody has looked for near-duplicates (`bin/manage explore`).
    """

    patient_id: str
    path: Path
    label: str
    split: str = ""
    mask_path: Path | None = None

    def pixels(self) -> NDArray[np.uint8]:
        """Grey values (y, x)."""
        return grey(self.path)

    def mask(self) -> NDArray[np.bool_] | None:
        """Outline (y, x) of a picture with a mask."""
        return None if self.mask_path is None else grey(self.mask_path) > 0


def grey(path: Path) -> NDArray[np.uint8]:
    """A picture as grey values (y, x).

    Raises
    ------
    Refused : not a picture, or a damaged or implausibly large one.
    """
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                raise Refused("TOO_LARGE", f"{path.name} has more than 64 million pixels and is not read.")
            return np.asarray(picture.convert("L"), np.uint8)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise Refused("NOT_PICTURE", f"{path.name} is damaged or no picture. Take it out.") from error


def table_samples(folder: Path) -> Iterator[PictureSample]:
    """`images.csv` with file and label; group (or patient_id) and split where there are such columns."""
    with (folder / "images.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            patient = row.get("patient_id") or row.get("group") or row["file"]
            yield PictureSample(patient, folder / row["file"], row["label"], row.get("split", ""))


def class_samples(folder: Path) -> Iterator[PictureSample]:
    """One folder per class."""
    for inner in class_folders(folder):
        for path in _pictures(inner):
            yield PictureSample(path.relative_to(folder).as_posix(), path, inner.name)


def mask_samples(folder: Path) -> Iterator[PictureSample]:
    """`images/NAME` with `masks/NAME` (the ending may differ); a picture without a mask has an empty label.

    Raises
    ------
    Refused : a mask of another size than its picture.
    """
    masks = {path.stem: path for path in _pictures(folder / "masks")}
    for path in _pictures(folder / "images"):
        mask = masks.get(path.stem)
        if mask is not None and _size(mask) != _size(path):
            raise Refused("MASK_SIZE", f"The mask {mask.name} has another size than its picture.")
        yield PictureSample(path.stem, path, "outlined" if mask else "", "", mask)


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
