"""A built volume is kept slice by slice, and damage is noticed."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scans.dicom.geometry import Geometry
from scans.dicom.refusal import Refused
from scans.dicom.volume import BuiltVolume, volume_digest
from scans.dicom.volume_file import VolumeReader, write_volume

GEOMETRY = Geometry((5, 7, 9), (2.5, 0.7, 0.8), (-10.5, 3.25, -400.0), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))


def volume() -> BuiltVolume:
    hu = np.random.default_rng(4).integers(-1024, 3000, GEOMETRY.shape).astype(np.int16)
    uids = tuple(f"2.25.{k}" for k in range(5))
    digest = volume_digest(hu, GEOMETRY)
    return BuiltVolume(hu, GEOMETRY, digest, uids, (5, 4, 3, None, 1), (0.0, 2.5, 5.0, 7.5, 10.0), 1, 0)


def written() -> bytes:
    file = io.BytesIO()
    write_volume(file, volume())
    return file.getvalue()


def test_a_volume_comes_back_as_it_was() -> None:
    read, original = VolumeReader(io.BytesIO(written())).read(), volume()
    assert np.array_equal(read.hu, original.hu)
    assert read.hu.dtype == np.int16
    assert read.geometry == original.geometry
    assert (read.digest, read.sop_instance_uids) == (original.digest, original.sop_instance_uids)
    assert (read.instance_numbers, read.positions_mm) == (original.instance_numbers, original.positions_mm)
    assert (read.duplicates, read.conflicts) == (1, 0)


@pytest.mark.parametrize("k", range(5))
def test_the_bytes_of_a_slice_are_what_http_calls_deflate(k: int) -> None:
    reader = VolumeReader(io.BytesIO(written()))
    plane = np.frombuffer(zlib.decompress(reader.slice_bytes(k)), "<i2").reshape(7, 9)
    assert np.array_equal(plane, volume().hu[k])
    assert np.array_equal(reader.slice(k), volume().hu[k])


def test_the_same_volume_gives_the_same_bytes() -> None:
    assert written() == written()


@settings(deadline=None)
@given(st.integers(0, len(written()) - 1), st.integers(1, 255))
def test_one_changed_byte_is_noticed(place: int, change: int) -> None:
    content = bytearray(written())
    content[place] ^= change
    with pytest.raises(Refused, match="VOLUME_DAMAGED"):
        VolumeReader(io.BytesIO(bytes(content))).read()


@settings(deadline=None)
@given(st.integers(0, len(written()) - 1))
def test_a_cut_off_file_is_noticed(end: int) -> None:
    with pytest.raises(Refused, match="VOLUME_DAMAGED"):
        VolumeReader(io.BytesIO(written()[:end])).read()


@pytest.mark.parametrize("k", [-1, 5])
def test_there_is_no_slice_outside_the_volume(k: int) -> None:
    with pytest.raises(IndexError):
        VolumeReader(io.BytesIO(written())).slice_bytes(k)
