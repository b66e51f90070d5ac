"""Stack the slices of one series into a volume: int16 HU, axes z, y, x (CLINICAL section 1.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scans.dicom.decoding import Opener, planes
from scans.dicom.geometry import Geometry, Triple
from scans.dicom.headers import Header
from scans.dicom.refusal import Refused
from scans.dicom.straight import Lean, lean_of, straightened

SAME_POSITION_MM = 0.01
LARGEST_VOLUME = 1 << 30
Progress = Callable[[float], None]


@dataclass(frozen=True)
class BuiltVolume:
    """A series as one block of Hounsfield units.

    Attributes
    ----------
    hu : int16 (z, y, x); slices ascend along the normal of the first slice; rows and columns as stored,
        unless the stack was sheared.
    geometry : its placement in the patient.
    digest : sha256 over shape, affine and voxels: equal volumes have equal digests, whatever the file order.
    positions_mm : place of each slice along the normal.
    duplicates : slices left out because another one with the same pixels lies at the same place.
    conflicts : slices left out although their pixels differ from the one kept at the same place.
    unsheared_degrees : by how much the stack leaned before its slices were moved onto a straight grid; 0 if
        the voxels are those of the images.
    """

    hu: NDArray[np.int16]
    geometry: Geometry
    digest: str
    sop_instance_uids: tuple[str, ...]
    instance_numbers: tuple[int | None, ...]
    positions_mm: tuple[float, ...]
    duplicates: int = 0
    conflicts: int = 0
    unsheared_degrees: float = 0.0


@dataclass(frozen=True)
class _Slice:
    header: Header
    opener: Opener
    position: float


def build_volume(
    instances: Iterable[tuple[Header, Opener]], progress: Progress = lambda fraction: None
) -> BuiltVolume:
    """Decode the slices of one series and stack them.

    Parameters
    ----------
    instances : header and a function that opens its file (or returns its bytes), in any order; for files of
        many frames one header a frame (`frames.frame_headers`).
    progress : told the finished fraction, 0 to 1, from the calling thread.

    Raises
    ------
    Refused : no slices, no positions, several matrices or orientations, or pixels that cannot be decoded.
    """
    slices = _sorted_slices(instances)
    hu, kept, duplicates, conflicts = _decoded(slices, progress)
    lean = _lean([item.header for item in kept])
    geometry = _geometry([item.header for item in kept], [item.position for item in kept], lean)
    if lean.matters:
        hu, moved = straightened(hu, lean)
        geometry = _moved(geometry, hu.shape, moved)
    return BuiltVolume(
        hu,
        geometry,
        volume_digest(hu, geometry),
        tuple(item.header.sop_instance_uid for item in kept),
        tuple(item.header.instance_number for item in kept),
        tuple(item.position for item in kept),
        duplicates,
        conflicts,
        round(lean.degrees, 2) if lean.matters else 0.0,
    )


def volume_digest(hu: NDArray[np.int16], geometry: Geometry) -> str:
    """sha256 over shape, affine (rounded to 1e-6 mm) and voxels, all little-endian."""
    digest = hashlib.sha256(np.asarray(hu.shape, "<i8").tobytes())
    digest.update((np.round(geometry.affine, 6) + 0.0).astype("<f8").tobytes())
    for plane in hu:
        digest.update(np.ascontiguousarray(plane, "<i2").data)
    return digest.hexdigest()


def _sorted_slices(instances: Iterable[tuple[Header, Opener]]) -> list[_Slice]:
    slices = [_slice(header, opener) for header, opener in instances]
    if not slices:
        raise Refused("E_FEW", "The series has no images.")
    _require_one_grid([item.header for item in slices])
    return sorted(slices, key=lambda item: (item.position, item.header.sop_instance_uid, item.header.frame))


def _slice(header: Header, opener: Opener) -> _Slice:
    if header.modality != "CT":
        raise Refused("E_MODALITY", "Not a CT series; not analysed.")
    if header.number_of_frames > 1:
        raise Refused(
            "E_MULTIFRAME",
            "Multi-frame CT that does not describe its frames is not read. Send the series as single slices.",
        )
    position = header.position_along_normal
    if position is None or header.pixel_spacing is None:
        raise Refused("E_GEOM", "Position information missing.")
    return _Slice(header, opener, position)


def _require_one_grid(headers: Sequence[Header]) -> None:
    first = headers[0]
    for header in headers[1:]:
        if (header.rows, header.columns) != (first.rows, first.columns) or not (
            np.allclose(header.pixel_spacing or 0, first.pixel_spacing or 0, atol=1e-4)
            and np.allclose(header.image_orientation or 0, first.image_orientation or 0, atol=1e-3)
        ):
            raise Refused("E_MIXED", "Series mixes different geometries.")


def _decoded(slices: list[_Slice], progress: Progress) -> tuple[NDArray[np.int16], list[_Slice], int, int]:
    """The stacked planes of the slices kept, and how many were left out as equal or conflicting copies."""
    rows, columns = slices[0].header.rows, slices[0].header.columns
    if len(slices) * rows * columns > LARGEST_VOLUME:
        raise Refused("TOO_LARGE", "The series has more than 2 GB of pixels and is not read.")
    hu = np.empty((len(slices), rows, columns), np.int16)
    kept: list[_Slice] = []
    duplicates = conflicts = 0
    decoded = planes([(item.header, item.opener) for item in slices])
    for done, (item, plane) in enumerate(zip(slices, decoded, strict=True), 1):
        if plane.shape != (rows, columns):
            raise Refused("PIXELS_DAMAGED", "A slice has another size than its header says.")
        twins = _slices_at(kept, item.position)
        if any(np.array_equal(hu[k], plane) for k in twins):
            duplicates += 1
        elif twins:
            conflicts += 1
        else:
            hu[len(kept)] = plane
            kept.append(item)
        progress(done / len(slices))
    return hu[: len(kept)], kept, duplicates, conflicts


def _slices_at(kept: Sequence[_Slice], position: float) -> range:
    """Indices of the last slices of `kept`, which is sorted, that lie at `position`."""
    first = len(kept)
    while first and position - kept[first - 1].position <= SAME_POSITION_MM:
        first -= 1
    return range(first, len(kept))


def _lean(headers: Sequence[Header]) -> Lean:
    first = headers[0]
    positions = [header.image_position for header in headers if header.image_position is not None]
    if first.pixel_spacing is None or first.image_orientation is None or len(positions) < len(headers):
        raise Refused("E_GEOM", "Position information missing.")
    orientation = first.image_orientation
    return lean_of(positions, orientation[:3], orientation[3:], first.pixel_spacing)


def _geometry(headers: Sequence[Header], positions: Sequence[float], lean: Lean) -> Geometry:
    """Placement from the first slice and the median increment along the normal.

    A lean that is too small to move the slices for stays in the direction of the slice axis.
    """
    first = headers[0]
    if first.pixel_spacing is None or first.image_orientation is None or first.image_position is None:
        raise Refused("E_GEOM", "Position information missing.")
    normal = np.asarray(first.normal)
    step, increment = normal, first.spacing_between_slices or first.slice_thickness or 1.0
    if len(headers) > 1:
        if not lean.matters:
            whole = np.subtract(headers[-1].image_position or (0, 0, 0), first.image_position)
            step = whole / np.linalg.norm(whole)
        increment = float(np.median(np.diff(positions))) / float(step @ normal)
    row_mm, column_mm = first.pixel_spacing
    orientation = first.image_orientation
    try:
        return Geometry(
            (len(headers), first.rows, first.columns),
            (round(abs(increment), 6), row_mm, column_mm),
            first.image_position,
            (orientation[:3], orientation[3:], (float(step[0]), float(step[1]), float(step[2]))),
        )
    except ValueError as error:
        raise Refused("E_GEOM", "Position information makes no sense.") from error


def _moved(geometry: Geometry, shape: tuple[int, ...], first_px: tuple[float, float]) -> Geometry:
    """The placement of the straightened stack, whose first pixel lies `first_px` (row, column) further."""
    x, y, z = (float(mm) for mm in geometry.to_mm((0, first_px[0], first_px[1])))
    origin: Triple = (x, y, z)
    return Geometry((shape[0], shape[1], shape[2]), geometry.spacing_mm, origin, geometry.direction)
