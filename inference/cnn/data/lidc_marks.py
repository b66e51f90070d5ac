"""The reading XML of LIDC-IDRI: what each radiologist outlined, rated or pointed at in one scan.

Armato et al., Medical Physics 38:915-931, 2011. A nodule of 3 mm and more has an outline per slice, a smaller
one and a non-nodule a single point. Coordinates are column and row of the 512 x 512 slice.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Tree

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from scans.dicom.refusal import Refused

RATINGS = (
    "subtlety",
    "internalStructure",
    "calcification",
    "sphericity",
    "margin",
    "lobulation",
    "spiculation",
    "texture",
    "malignancy",
)
LARGEST_XML = 64 << 20


@dataclass(frozen=True)
class Contour:
    """One drawn line on one slice: (n, 2) column and row. `inside` is False for a hole in a nodule."""

    sop_instance_uid: str
    z_mm: float
    points: NDArray[np.int64]
    inside: bool = True


@dataclass(frozen=True)
class Mark:
    """What one reader said of one place. `session` counts the readers of the scan from 0.

    `ratings` is empty for anything but a nodule of 3 mm and more.
    """

    session: int
    name: str
    contours: tuple[Contour, ...]
    ratings: Mapping[str, float]

    @property
    def is_outlined(self) -> bool:
        """A nodule of 3 mm and more: rated and drawn, not only pointed at."""
        return bool(self.ratings) and any(len(c.points) > 1 for c in self.contours)


@dataclass(frozen=True)
class ScanMarks:
    """All marks of one scan."""

    series_instance_uid: str
    nodules: tuple[Mark, ...]
    small: tuple[Mark, ...]
    other: tuple[Mark, ...]


def read_marks(path: Path) -> ScanMarks:
    """The marks of one reading XML (.xml or .xml.xz).

    Raises
    ------
    Refused : not the reading XML of a CT scan.
    """
    text = _content(path)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise Refused("NOT_LIDC", f"{path.name} declares entities; a reading XML has none.")
    try:
        root = Tree.fromstring(text)  # noqa: S314 - no entity can be declared, see above
    except Tree.ParseError as error:
        raise Refused("NOT_LIDC", f"{path.name} is damaged XML. Copy it again.") from error
    series = _text(root, ".//{*}SeriesInstanceUid")
    if not root.tag.endswith("LidcReadMessage") or not series:
        raise Refused("NOT_LIDC", f"{path.name} is not the reading XML of a CT scan of LIDC-IDRI.")
    sessions = root.findall("{*}readingSession")
    read = [m for k, one in enumerate(sessions) for m in _nodule_marks(one, k)]
    outlined = tuple(m for m in read if m.is_outlined)
    small = tuple(m for m in read if not m.is_outlined)
    other = tuple(m for k, one in enumerate(sessions) for m in _point_marks(one, k))
    return ScanMarks(series, outlined, small, other)


def _content(path: Path) -> bytes:
    if path.suffix == ".xz":
        with lzma.open(path) as packed:
            return packed.read(LARGEST_XML)
    with path.open("rb") as plain:
        return plain.read(LARGEST_XML)


def _text(element: Tree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _nodule_marks(session: Tree.Element, number: int) -> Iterator[Mark]:
    for nodule in session.findall("{*}unblindedReadNodule"):
        contours = tuple(_contour(roi) for roi in nodule.findall("{*}roi"))
        yield Mark(number, _text(nodule, "{*}noduleID"), contours, _ratings(nodule))


def _point_marks(session: Tree.Element, number: int) -> Iterator[Mark]:
    for place in session.findall("{*}nonNodule"):
        yield Mark(number, _text(place, "{*}nonNoduleID"), (_contour(place, "{*}locus"),), {})


def _ratings(nodule: Tree.Element) -> dict[str, float]:
    told = {name: _text(nodule, f"{{*}}characteristics/{{*}}{name}") for name in RATINGS}
    return {name: float(value) for name, value in told.items() if value}


def _contour(roi: Tree.Element, points: str = "{*}edgeMap") -> Contour:
    at = [(int(_text(p, "{*}xCoord")), int(_text(p, "{*}yCoord"))) for p in roi.findall(points)]
    return Contour(
        _text(roi, "{*}imageSOP_UID"),
        float(_text(roi, "{*}imageZposition")),
        np.array(at, np.int64).reshape(-1, 2),
        _text(roi, "{*}inclusion").upper() != "FALSE",
    )


def filled(contours: tuple[Contour, ...], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The nodule on one slice (rows, columns): what lies inside the lines, holes taken out.

    The drawn line is the first ring of pixels outside the nodule and is no part of it, so the line of a hole
    is none of the nodule either.
    """
    mask = np.zeros(shape, bool)
    for contour in contours:
        if contour.inside:
            area, line = _area_and_line(contour, shape)
            mask |= area & ~line
    for contour in contours:
        if not contour.inside:
            mask &= ~np.logical_or(*_area_and_line(contour, shape))
    return mask


def _area_and_line(contour: Contour, shape: tuple[int, int]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    points = [(int(x), int(y)) for x, y in contour.points]
    area, line = (Image.new("1", (shape[1], shape[0])) for _ in range(2))
    if len(points) > 2:
        ImageDraw.Draw(area).polygon(points, fill=1)
    if len(points) > 1:
        ImageDraw.Draw(line).line([*points, points[0]], fill=1)
    return np.array(area, bool), np.array(line, bool)
