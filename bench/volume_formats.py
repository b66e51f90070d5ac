"""How a volume is best kept: our file of zlib slices against zstd slices, blosc2 and zarr.

    .venv/bin/python -m bench.volume_formats [--json FILE] [--phantom]

Reads the real chest of the data folder (LUNGPORTAL_SHARED or ../shared), with --phantom one of the demo too.
zarr, blosc2 and zstandard are no part of the product: what is not installed is left out
(`uv pip install zarr blosc2 zstandard`). Times are processor time, the best of three, so that other work on
the machine counts little; our own reader checks a checksum of each slice, the others check nothing.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scans.dicom.geometry import Geometry
from scans.dicom.headers import read_header
from scans.dicom.volume import BuiltVolume, build_volume, volume_digest
from scans.dicom.volume_file import VolumeReader, write_volume

REPEATS = 3
CHUNK = (32, 128, 128)
Voxels = NDArray[np.int16]
Plane = tuple[int, int]  # axis, index


@dataclass(frozen=True)
class Format:
    """How to write a volume to a path and to read it, whole (None) or one plane of it."""

    name: str
    write: Callable[[Path, Voxels], None]
    read: Callable[[Path, Plane | None], Voxels]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--phantom", action="store_true", help="measure a phantom too")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, hu in volumes(options.phantom):
        print(f"{name}: {hu.shape}, {hu.nbytes / 1e6:.0f} MB as int16")
        print(f"{'':<24}{'MB':>7}{'write s':>9}{'whole s':>9}{'axial ms':>10}{'coronal':>9}{'sagittal':>9}")
        for one in formats():
            measured = measure(one, hu)
            figures |= {f"{name}.{one.name}.{key}": value for key, value in measured.items()}
            print(
                "{:<24}{:>7.1f}{:>9.2f}{:>9.2f}{:>10.1f}{:>9.0f}{:>9.0f}".format(one.name, *measured.values())
            )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def volumes(phantom: bool) -> Iterator[tuple[str, Voxels]]:
    shared = Path(os.environ.get("LUNGPORTAL_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    with tarfile.open(shared / "data" / "dicom" / "series" / "lidc-idri-0003.tar.xz") as archive:
        files = [
            file.read() for member in archive if member.isfile() and (file := archive.extractfile(member))
        ]
    dicom = [file for file in files if file[128:132] == b"DICM"]
    yield "lidc-idri-0003", build_volume([(read_header(file), lambda file=file: file) for file in dicom]).hu
    if phantom:
        from scans.dicom.phantom import demo_specs, make_phantom

        yield "phantom", make_phantom(demo_specs()[0].phantom).hu


def measure(one: Format, hu: Voxels) -> dict[str, float]:
    """Megabytes, and processor time of writing and reading; what is read must be what was written."""
    middle = [(axis, hu.shape[axis] // 2) for axis in range(3)]
    with tempfile.TemporaryDirectory(prefix="lungportal-bench-") as folder:
        path = Path(folder) / "volume"
        written = timed(lambda: one.write(path, hu))
        whole = timed(lambda: one.read(path, None))
        planes = [timed(lambda plane=plane: one.read(path, plane)) for plane in middle]
        if not all(np.array_equal(one.read(path, (a, k)), hu.take(k, a)) for a, k in middle):
            raise SystemExit(f"{one.name} gives other voxels than were written.")
        size = sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())
    ms = [round(1000 * seconds, 2) for seconds in planes]
    return {
        "mb": round(size / 1e6, 2),
        "write_s": round(written, 3),
        "whole_s": round(whole, 3),
        "axial_ms": ms[0],
        "coronal_ms": ms[1],
        "sagittal_ms": ms[2],
    }


def timed(act: Callable[[], object]) -> float:
    """Processor time of all threads, the best of a few runs."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.process_time()
        act()
        best = min(best, time.process_time() - start)
    return best


def formats() -> Iterator[Format]:
    yield Format("ours (zlib 1 slices)", write_ours, read_ours)
    if find_spec("zstandard"):
        yield Format("zstd 3 slices", *zstd_slices(3))
        yield Format("zstd 1 slices", *zstd_slices(1))
    if find_spec("blosc2"):
        yield Format("blosc2 zstd 32x128x128", *blosc2_array(CHUNK))
        yield Format("blosc2 zstd slices", *blosc2_array((1, 512, 512)))
    if find_spec("zarr"):
        yield Format("zarr zstd 32x128x128", *zarr_array(CHUNK))


def write_ours(path: Path, hu: Voxels) -> None:
    geometry = Geometry((len(hu), hu.shape[1], hu.shape[2]), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    uids = tuple(f"2.25.{k}" for k in range(len(hu)))
    numbers, positions = tuple(range(len(hu))), tuple(float(k) for k in range(len(hu)))
    with path.open("wb") as file:
        write_volume(
            file, BuiltVolume(hu, geometry, volume_digest(hu[:1], geometry), uids, numbers, positions)
        )


def read_ours(path: Path, plane: Plane | None) -> Voxels:
    with path.open("rb") as file:
        reader = VolumeReader(io.BytesIO(file.read()) if plane is None or plane[0] else file)
        if plane is not None and plane[0] == 0:
            return reader.slice(plane[1])
        depth = reader.geometry.shape[0]
        if plane is None:
            return np.stack([reader.slice(k) for k in range(depth)])
        return np.stack([reader.slice(k).take(plane[1], plane[0] - 1) for k in range(depth)])


def zstd_slices(level: int) -> tuple[Callable[[Path, Voxels], None], Callable[[Path, Plane | None], Voxels]]:
    import zstandard

    def write(path: Path, hu: Voxels) -> None:
        path.mkdir(exist_ok=True)
        packer = zstandard.ZstdCompressor(level=level)
        for k, plane in enumerate(hu):
            (path / str(k)).write_bytes(packer.compress(np.ascontiguousarray(plane).tobytes()))
        (path / "shape").write_text(json.dumps(hu.shape))

    def read(path: Path, plane: Plane | None) -> Voxels:
        depth, rows, columns = json.loads((path / "shape").read_text())
        unpacker = zstandard.ZstdDecompressor()

        def one(k: int) -> Voxels:
            raw = unpacker.decompress((path / str(k)).read_bytes())
            return np.frombuffer(raw, "<i2").reshape(rows, columns)

        if plane is not None and plane[0] == 0:
            return one(plane[1])
        if plane is None:
            return np.stack([one(k) for k in range(depth)])
        return np.stack([one(k).take(plane[1], plane[0] - 1) for k in range(depth)])

    return write, read


def blosc2_array(
    chunk: tuple[int, int, int],
) -> tuple[Callable[[Path, Voxels], None], Callable[[Path, Plane | None], Voxels]]:
    import blosc2

    settings = {"codec": blosc2.Codec.ZSTD, "clevel": 3, "filters": [blosc2.Filter.BITSHUFFLE]}

    def write(path: Path, hu: Voxels) -> None:
        blosc2.asarray(np.ascontiguousarray(hu), chunks=chunk, cparams=settings, urlpath=str(path), mode="w")

    def read(path: Path, plane: Plane | None) -> Voxels:
        return np.asarray(blosc2.open(str(path))[_where(plane)])

    return write, read


def zarr_array(
    chunk: tuple[int, int, int],
) -> tuple[Callable[[Path, Voxels], None], Callable[[Path, Plane | None], Voxels]]:
    import zarr

    def write(path: Path, hu: Voxels) -> None:
        array = zarr.create_array(str(path), shape=hu.shape, chunks=chunk, dtype="int16", overwrite=True)
        array[:] = hu

    def read(path: Path, plane: Plane | None) -> Voxels:
        return np.asarray(zarr.open_array(str(path), mode="r")[_where(plane)])

    return write, read


def _where(plane: Plane | None) -> tuple[Any, ...]:
    where: list[Any] = [slice(None)] * 3
    if plane is not None:
        where[plane[0]] = plane[1]
    return tuple(where)


if __name__ == "__main__":
    main()
