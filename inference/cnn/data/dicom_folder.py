"""A folder of DICOM files as one volume, by the same steps as the platform's own way in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from inference.cnn.data.voxels import OpenedVolume
from scans.dicom.checks import Candidate, check_header_set, choose_series, refuse, summarise
from scans.dicom.headers import Header, read_header
from scans.dicom.refusal import Refused
from scans.dicom.volume import BuiltVolume, build_volume

NO_IMAGE = frozenset({"NOT_DICOM", "DICOMDIR", "NOT_IMAGE", "NO_PIXELS"})
# Checks that speak of voxels in the wrong place or of wrong values; the others are for the reader to judge.
WRONG_VOXELS = frozenset(
    {"E_MODALITY", "E_IMAGETYPE", "E_MULTIFRAME", "E_RESCALE", "E_GEOM", "E_MIXED", "E_MISSING"}
)

Slices = list[tuple[Header, Path]]


def series_in(folder: Path) -> dict[str, Slices]:
    """Images below a folder by series, whatever their names and order; other files are passed over.

    Raises
    ------
    Refused : a file that is DICOM but damaged, with its name: a volume without it would have a hole.
    """
    series: dict[str, Slices] = {}
    for header, path in _images(folder):
        series.setdefault(header.series_instance_uid, []).append((header, path))
    return series


def _images(folder: Path) -> Iterator[tuple[Header, Path]]:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            with path.open("rb") as file:
                yield read_header(file), path
        except Refused as refused:
            if refused.code not in NO_IMAGE:
                raise Refused(refused.code, f"{path.name}: {refused.sentence}") from refused


def built(slices: Slices) -> BuiltVolume:
    """The volume of the slices of one series, with digest and the instance of each slice.

    Raises
    ------
    Refused : missing slices, mixed geometries or anything else that would put voxels in wrong places.
    """
    wrong = [c for c in refuse(check_header_set([h for h, _ in slices])) if c.code in WRONG_VOXELS]
    if wrong:
        raise Refused(wrong[0].code, wrong[0].sentence)
    return build_volume([(header, path.read_bytes) for header, path in slices])


def chosen(series: dict[str, Slices]) -> Slices:
    """The series that the platform would read; a single one is taken as it is."""
    if len(series) == 1:
        return next(iter(series.values()))
    candidates = [_candidate([h for h, _ in slices]) for slices in series.values()]
    best, why = choose_series(candidates)
    if best is None:
        raise Refused("NO_SERIES", why)
    return series[best.series_instance_uid]


def _candidate(headers: list[Header]) -> Candidate:
    first = headers[0]
    checks = check_header_set(headers)
    return Candidate(
        first.series_instance_uid, first.series_number, first.series_description, summarise(headers), checks
    )


def read_dicom_folder(folder: Path) -> OpenedVolume:
    """The volume of the folder's series; of several, the one that the platform would choose.

    Raises
    ------
    Refused : no images, or images that make no volume.
    """
    series = series_in(folder)
    if not series:
        raise Refused("NOT_DICOM", f"The folder {folder.name} holds no DICOM images. Choose another one.")
    volume = built(chosen(series))
    return OpenedVolume(volume.hu, volume.geometry)
