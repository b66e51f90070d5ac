"""Every file that pydicom brings along and every file of the cabinet ends as `every_file.csv` says.

The columns: what the header reader says, what the decoder says of the stored values (first and last frame),
what it says of Hounsfield units ("read", or the code of the refusal), and the largest difference to a
reference file: in HU where both are in HU, in stored values elsewhere.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from scans.dicom.headers import read_header
from scans.dicom.image import open_image
from scans.dicom.pixels import damage_refused, decode
from scans.dicom.refusal import Refused
from tests.conftest import shared_folder

TABLE = Path(__file__).with_name("every_file.csv")
FOLDERS = {
    "pydicom": Path(pydicom.__file__).parent / "data" / "test_files",
    "variety": shared_folder() / "data" / "dicom" / "variety",
}


@dataclass(frozen=True)
class Expected:
    source: str
    file: str
    header: str
    stored: str
    hu: str
    reference: str
    largest_difference: str

    @property
    def path(self) -> Path:
        return FOLDERS[self.source] / self.file


def table() -> list[Expected]:
    with TABLE.open(newline="") as file:
        return [Expected(**row) for row in csv.DictReader(file)]


def marked(one: Expected) -> Any:
    return pytest.param(one, id=one.file, marks=[pytest.mark.shared] if one.source == "variety" else [])


def outcome(read: Callable[[bytes], object], content: bytes) -> str:
    try:
        read(content)
    except Refused as refused:
        return refused.code if refused.sentence.endswith(".") else "no sentence"
    return "read"


def stored_values(content: bytes) -> NDArray[np.integer[Any]]:
    """The first and the last frame."""
    with damage_refused():
        image = open_image(content)
        return np.stack([image.stored(k) for k in sorted({0, image.frames - 1})])


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom tells of oddities that these files are made of
@pytest.mark.parametrize("expected", [marked(one) for one in table()])
def test_a_file_ends_as_the_table_says(expected: Expected) -> None:
    content = expected.path.read_bytes()
    found = [outcome(read, content) for read in (read_header, stored_values, decode)]
    assert found == [expected.header, expected.stored, expected.hu]


@pytest.mark.parametrize("expected", [marked(one) for one in table() if one.reference])
def test_an_encoding_differs_from_its_reference_by_no_more_than_the_table_says(expected: Expected) -> None:
    values = decode if expected.hu == "read" else stored_values
    reference = values((FOLDERS[expected.source] / expected.reference).read_bytes()).astype(int)
    difference = np.abs(values(expected.path.read_bytes()) - reference).max()
    assert difference <= int(expected.largest_difference)


@pytest.mark.parametrize("source", ["pydicom", pytest.param("variety", marks=pytest.mark.shared)])
def test_the_table_names_every_file(source: str) -> None:
    there = {str(path.relative_to(FOLDERS[source])) for path in FOLDERS[source].rglob("*") if path.is_file()}
    assert there - {"manifest.csv"} == {one.file for one in table() if one.source == source}
