"""Stack the slices of one series into a volume: int16 HU, axes z, y, x (CLINICAL section 1.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scans.dicom.geometry import Geometry
from scans.dicom.headers import Header
from scans.dicom.pixels import decode
from scans.dicom.refusal import Refused

SAME_POSITION_MM = 0.01
DECODERS = 4
LARGEST_VOLUME = 1 << 30
Opener = Callable[[], BinaryIO | bytes]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class BuiltVolume:
    """A series as one block of Hounsfield units.

    Attributes
    ----------
    hu : int16 (z, y, x); slices ascend along the normal of the first slice; rows and columns as stored.
    geometry : its placement in the patient; the slice axis is the true step between slices.
    digest : sha256 over shape, affine and voxels: equal volumes have equal digests, whatever the file order.
    positions_mm : place of each slice along the normal.
    duplicates : slices left out because another one with the same pixels lies at the same place.
    conflicts : slices left out although their pixels differ from the one kept at the same place.
    """

    hu: NDArray[np.int16]
    geometry: Geometry
    digest: str
    sop_instance_uids: tuple[str, ...]
    instance_numbers: tuple[int | None, ...]
    positions_mm: tuple[float, ...]
    duplicates: int = 0
    conflicts: int = 0


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
    instances : header and a function that opens its file (or returns its bytes), in any order.
    progress : told the finished fraction, 0 to 1, from the calling thread.

    Raises
    ------
    Refused : no slices, no positions, several matrices or orientations, or pixels that cannot be decoded.
    """
    slices = _sorted_slices(instances)
    hu, kept, duplicates, conflicts = _decoded(slices, progress)
    geometry = _geometry([item.header for item in kept], [item.position for item in kept])
    return BuiltVolume(
        hu,
        geometry,
        volume_digest(hu, geometry),
        tuple(item.header.sop_instance_uid for item in kept),
        tuple(item.header.instance_number for item in kept),
        tuple(item.position for item in kept),
        duplicates,
        conflicts,
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
    return sorted(slices, key=lambda item: (item.position, item.header.sop_instance_uid))


def _slice(header: Header, opener: Opener) -> _Slice:
    if header.modality != "CT":
        raise Refused("E_MODALITY", "Not a CT series; not analysed.")
    if header.number_of_frames > 1:
        raise Refused(
            "E_MULTIFRAME", "Multi-frame CT is kept but not read. Send the series as single slices."
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
    for done, (item, plane) in enumerate(zip(slices, _planes(slices), strict=True), 1):
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


def _planes(slices: list[_Slice]) -> Iterator[NDArray[np.int16]]:
    """Decoded planes in order, a few ahead of the caller."""
    with ThreadPoolExecutor(DECODERS) as pool:
        ahead = [pool.submit(_plane, item) for item in slices[: 2 * DECODERS]]
        for index in range(len(slices)):
            following = index + 2 * DECODERS
            plane = ahead.pop(0).result()
            if following < len(slices):
                ahead.append(pool.submit(_plane, slices[following]))
            yield plane


def _plane(item: _Slice) -> NDArray[np.int16]:
    source = item.opener()
    try:
        plane = decode(source)
    finally:
        if not isinstance(source, bytes):
            source.close()
    if plane.shape != (item.header.rows, item.header.columns):
        raise Refused("PIXELS_DAMAGED", "A slice has another size than its header says.")
    return plane


def _geometry(headers: Sequence[Header], positions: Sequence[float]) -> Geometry:
    """Placement from the first slice, the median increment and the true step (tilted stacks are sheared)."""
    first = headers[0]
    if first.pixel_spacing is None or first.image_orientation is None or first.image_position is None:
        raise Refused("E_GEOM", "Position information missing.")
    normal = np.asarray(first.normal)
    step, increment = normal, first.spacing_between_slices or first.slice_thickness or 1.0
    if len(headers) > 1:
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
