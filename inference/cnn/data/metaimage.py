"""MetaImage (.mhd with .raw or .zraw, .mha), the format of LUNA16: read and written in LPS mm.

Keys as in ITK's documentation of MetaIO; each row of TransformMatrix is the direction of one index axis.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.cnn.data.voxels import OpenedVolume, as_hu, named, placed, require_three_axes
from scans.dicom.geometry import Geometry
from scans.dicom.refusal import Refused

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
LARGEST_HEADER = 1 << 16
LAST_KEY = "ElementDataFile"
UPRIGHT = "1 0 0 0 1 0 0 0 1"


def read_metaimage(path: Path) -> OpenedVolume:
    """The volume of one .mhd or .mha file.

    Raises
    ------
    Refused : not a plain 3D volume of numbers, a missing or short data file, or a placement without sense.
    """
    fields, header_bytes = _header(path)
    numbers = _numbers(fields, "DimSize", "", path)
    shape = require_three_axes(tuple(int(n) for n in reversed(numbers)), named(path))
    if int(fields.get("ElementNumberOfChannels", "1")) != 1:
        raise Refused("NOT_HU", f"{named(path)} is in colour, so it holds no Hounsfield units.")
    geometry = _geometry(fields, shape, path)
    raw = _data(fields, header_bytes, path)
    return OpenedVolume(as_hu(_values(fields, raw, shape, path), named(path)), geometry)


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The keys up to the data, and how many bytes they take."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while file.tell() < LARGEST_HEADER and LAST_KEY not in fields:
            line = file.readline(LARGEST_HEADER).decode("ascii", "replace")
            key, equals, value = line.partition("=")
            if not equals:
                break
            fields[key.strip()] = value.strip()
        if LAST_KEY not in fields or "ElementType" not in fields:
            raise Refused("NOT_METAIMAGE", f"{named(path)} is no MetaImage header. Export it again.")
        return fields, file.tell()


def _numbers(fields: dict[str, str], key: str, default: str, path: Path) -> tuple[float, ...]:
    try:
        return tuple(float(v) for v in fields.get(key, default).split())
    except ValueError as error:
        raise Refused("NOT_METAIMAGE", f"{named(path)}: {key} is not a list of numbers.") from error


def _geometry(fields: dict[str, str], shape: tuple[int, int, int], path: Path) -> Geometry:
    spacing = _numbers(fields, "ElementSpacing", fields.get("ElementSize", ""), path)
    offset = next((k for k in ("Offset", "Position", "Origin") if k in fields), "Offset")
    matrix = next((k for k in ("TransformMatrix", "Rotation", "Orientation") if k in fields), "")
    origin = _numbers(fields, offset, "0 0 0", path)
    axes = np.array(_numbers(fields, matrix, UPRIGHT, path))
    if len(spacing) != 3 or len(origin) != 3 or axes.size != 9:
        raise Refused(
            "E_GEOM", f"{named(path)} does not say how far apart its voxels are, or where they lie."
        )
    x, y, z = spacing
    return placed(shape, (z, y, x), (origin[0], origin[1], origin[2]), axes.reshape(3, 3), named(path))


def _data(fields: dict[str, str], header_bytes: int, path: Path) -> bytes:
    """The bytes of the voxels, unpacked."""
    told = fields[LAST_KEY]
    if told == "LOCAL":
        raw = path.read_bytes()[header_bytes:]
    else:
        raw = _beside(told, path).read_bytes()
        skipped = int(fields.get("HeaderSize", "0"))
        raw = raw[skipped:] if skipped >= 0 else raw
    if fields.get("CompressedData", "False").lower() != "true":
        return raw
    try:
        return zlib.decompress(raw)
    except zlib.error as error:
        raise Refused("DAMAGED", f"The compressed voxels of {named(path)} are damaged.") from error


def _beside(told: str, path: Path) -> Path:
    """The data file: a plain name in the folder of the header, and nowhere else."""
    if told == "LIST" or "%" in told:
        raise Refused(
            "UNSUPPORTED", f"{named(path)} keeps each slice in a file of its own. Write it as one file."
        )
    beside = path.parent / Path(told).name
    if Path(told).name != told or not beside.is_file():
        raise Refused("RAW_MISSING", f"{named(path)} needs the file {told} beside it. Copy both together.")
    return beside


def _values(
    fields: dict[str, str], raw: bytes, shape: tuple[int, int, int], path: Path
) -> NDArray[np.generic]:
    kind = TYPES.get(fields["ElementType"])
    if kind is None:
        raise Refused("UNSUPPORTED", f"{named(path)} holds {fields['ElementType']}, which is not read.")
    big = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False")).lower() == "true"
    dtype = np.dtype((">" if big else "<") + kind)
    wanted = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if fields.get("HeaderSize") == "-1":
        raw = raw[-wanted:]
    if len(raw) < wanted:
        raise Refused(
            "TRUNCATED",
            f"{named(path)} announces {wanted} bytes of voxels, {len(raw)} are there. Copy it again.",
        )
    return np.frombuffer(raw, dtype, count=wanted // dtype.itemsize).reshape(shape)


def write_metaimage(
    path: Path, hu: NDArray[np.int16], geometry: Geometry, *, compressed: bool = False
) -> None:
    """Write .mha (one file) or .mhd with .raw (.zraw if compressed) beside it."""
    raw = np.ascontiguousarray(hu, "<i2").tobytes()
    if compressed:
        raw = zlib.compress(raw, 6)
    alone = path.suffix.lower() == ".mha"
    data = "LOCAL" if alone else f"{path.stem}.{'zraw' if compressed else 'raw'}"
    size = {"CompressedDataSize": str(len(raw))} if compressed else {}
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": str(compressed),
        **size,
        "TransformMatrix": _words(v for row in geometry.direction for v in row),
        "Offset": _words(geometry.origin_mm),
        "CenterOfRotation": "0 0 0",
        "AnatomicalOrientation": "RAI",
        "ElementSpacing": _words(reversed(geometry.spacing_mm)),
        "DimSize": _words(reversed(geometry.shape)),
        "ElementType": "MET_SHORT",
        LAST_KEY: data,
    }
    header = "".join(f"{key} = {value}\n" for key, value in fields.items()).encode()
    path.write_bytes(header + raw if alone else header)
    if not alone:
        (path.parent / data).write_bytes(raw)


def _words(values: object) -> str:
    return " ".join(f"{float(v):.17g}" if float(v) != int(v) else str(int(v)) for v in values)  # type: ignore[attr-defined]
