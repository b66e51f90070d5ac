"""CT volumes as files: the same voxels at the same place, and plain words where a file cannot be trusted."""

from __future__ import annotations

import datetime as dt
from base64 import b64decode
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference.cnn.data.formats import open_volume, save_volume
from inference.cnn.data.voxels import OpenedVolume
from scans.dicom.geometry import Geometry, Matrix
from scans.dicom.phantom import PatientSpec, Phantom, PhantomSpec, StudySpec, write_dicom
from scans.dicom.refusal import Refused

# Both were written by SimpleITK 2.5.7, the reference implementation: voxels 37 i - 1024, spacing 0.72, 0.71
# and 1.25 mm, origin (-183.96, -170.123, -401.77), turned by 0.3 rad about z, slices from head to feet.
ITK_MHA = (
    "T2JqZWN0VHlwZSA9IEltYWdlCk5EaW1zID0gMwpCaW5hcnlEYXRhID0gVHJ1ZQpCaW5hcnlEYXRhQnl0ZU9yZGVyTV"
    "NCID0gRmFsc2UKQ29tcHJlc3NlZERhdGEgPSBUcnVlCkNvbXByZXNzZWREYXRhU2l6ZSA9IDU5ClRyYW5zZm9ybU1h"
    "dHJpeCA9IDAuOTU1MzM2NDg5MTI1NjA1OTggMC4yOTU1MjAyMDY2NjEzMzk1NSAwIC0wLjI5NTUyMDIwNjY2MTMzOT"
    "U1IDAuOTU1MzM2NDg5MTI1NjA1OTggMCAwIDAgLTEKT2Zmc2V0ID0gLTE4My45NjAwMDAwMDAwMDAwMSAtMTcwLjEy"
    "Mjk5OTk5OTk5OTk5IC00MDEuNzY5OTk5OTk5OTk5OTgKQ2VudGVyT2ZSb3RhdGlvbiA9IDAgMCAwCkFuYXRvbWljYW"
    "xPcmllbnRhdGlvbiA9IFJBUwpFbGVtZW50U3BhY2luZyA9IDAuNzE5OTk5OTk5OTk5OTk5OTcgMC43MDk5OTk5OTk5"
    "OTk5OTk5NiAxLjI1CkRpbVNpemUgPSA0IDMgMgpFbGVtZW50VHlwZSA9IE1FVF9TSE9SVApFbGVtZW50RGF0YUZpbG"
    "UgPSBMT0NBTAp4XgEwAM//APwl/Er8b/yU/Ln83vwD/Sj9Tf1y/Zf9vP3h/Qb+K/5Q/nX+mv6//uT+Cf8u/1P/JcMh"
    "ow=="
)
ITK_NII_GZ = (
    "H4sIAAAAAAAAA4thZCACFDEwM7AwMDMwMTBCISpgYRAA0w373wRa2PcfMrVnYFhgj2nOBmcGhgaYOBfDAANGiD8aQF"
    "hKoXb/4a/mzrXyWs79j04czhMz2P/wVpgdSA4kPulh5L7wJbr7QXyQGoQpC/aD1KObnadtCGH8Uf3j9Sf/z5Q/O//c"
    "+8P8V+Ov79+iv9P/7vn78C/bP+1/Af9K/836t//fk3+c//X+B/8HAMs/wn2QAQAA"
)

ITK_LAST_VOXEL = (-182.3161118769478, -168.12809853905313, -403.02)
FORMATS = ("a.mhd", "a.mha", "a.nii", "a.nii.gz")
OBLIQUE: Matrix = ((0.6, 0.8, 0.0), (-0.8, 0.6, 0.0), (0.0, 0.0, -1.0))


@pytest.fixture
def volume() -> OpenedVolume:
    """Small, oblique, left-handed, with decimals that single precision cannot hold."""
    hu = np.arange(-1024, -1024 + 2 * 3 * 5 * 40, 40, dtype=np.int16).reshape(2, 3, 5)
    return OpenedVolume(hu, Geometry((2, 3, 5), (1.3, 0.7, 0.72), (-183.96, 70.123, -401.77), OBLIQUE))


def refusal_of(path: Path) -> Refused:
    with pytest.raises(Refused) as refused:
        open_volume(path)
    return refused.value


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_saved_opens_as_it_was(
    tmp_path: Path, volume: OpenedVolume, name: str, compressed: bool
) -> None:
    save_volume(tmp_path / name, *volume, compressed=compressed)

    opened = open_volume(tmp_path / name)

    assert np.array_equal(opened.hu, volume.hu)
    assert opened.geometry.spacing_mm == volume.geometry.spacing_mm
    assert opened.geometry.origin_mm == volume.geometry.origin_mm
    assert np.allclose(opened.geometry.direction, OBLIQUE, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(
    spacing=st.tuples(*[st.integers(300, 9999)] * 3),
    origin=st.tuples(*[st.integers(-999999, 999999)] * 3),
)
def test_decimals_of_a_micrometre_come_back_from_nifti_exactly(
    tmp_path_factory: pytest.TempPathFactory,
    spacing: tuple[int, int, int],
    origin: tuple[int, int, int],
) -> None:
    path = tmp_path_factory.mktemp("nifti") / "a.nii"
    placed = Geometry((1, 2, 2), tuple(v / 1000 for v in spacing), tuple(v / 1000 for v in origin))  # type: ignore[arg-type]
    save_volume(path, np.zeros((1, 2, 2), np.int16), placed)

    assert open_volume(path).geometry == placed


@pytest.mark.parametrize(("name", "written"), [("itk.mha", ITK_MHA), ("itk.nii.gz", ITK_NII_GZ)])
def test_files_of_the_reference_implementation_lie_where_it_put_them(
    tmp_path: Path, name: str, written: str
) -> None:
    (tmp_path / name).write_bytes(b64decode(written))

    hu, geometry = open_volume(tmp_path / name)

    assert np.array_equal(hu.ravel(), np.arange(24) * 37 - 1024)
    assert hu.shape == (2, 3, 4)
    assert geometry.spacing_mm == pytest.approx((1.25, 0.71, 0.72), abs=1e-12)
    assert geometry.to_mm((1, 2, 3)) == pytest.approx(ITK_LAST_VOXEL, abs=1e-5)


def dicom_series(folder: Path, increment_mm: float = 3.0, slices: int = 8) -> tuple[Phantom, list[Path]]:
    """A series of random voxels."""
    spec = PhantomSpec(5, slices=slices, size=64, pixel_mm=5.5, increment_mm=increment_mm)
    hu = np.random.default_rng(7).integers(-1024, 3000, (slices, 64, 64)).astype(np.int16)
    geometry = Geometry(hu.shape, (increment_mm, 5.5, 5.5), (-170.5, -160.25, -300.125))  # type: ignore[arg-type]
    phantom = Phantom(spec, hu, geometry, ())
    patient = PatientSpec("P1", "A^B", dt.date(1960, 1, 1), "M")
    return phantom, write_dicom(phantom, folder, StudySpec(patient, dt.date(2026, 1, 1), "A1", spec))


def test_a_dicom_folder_opens_whatever_else_lies_in_it(tmp_path: Path) -> None:
    phantom, _ = dicom_series(tmp_path / "series")
    (tmp_path / "series" / "notes.txt").write_text("not a picture")

    hu, geometry = open_volume(tmp_path)

    assert np.array_equal(hu, phantom.hu)
    assert geometry == phantom.geometry


def test_of_several_series_the_one_that_the_platform_would_read_is_opened(tmp_path: Path) -> None:
    for increment in (5.0, 2.5, 4.0):
        dicom_series(tmp_path / str(increment), increment, round(240 / increment))

    assert open_volume(tmp_path).geometry.spacing_mm[0] == 2.5


def test_a_folder_with_a_hole_in_the_series_is_refused(tmp_path: Path) -> None:
    dicom_series(tmp_path, slices=12)[1][6].unlink()

    assert refusal_of(tmp_path).code == "E_MISSING"


def test_a_damaged_slice_is_named_and_not_left_out(tmp_path: Path) -> None:
    path = dicom_series(tmp_path)[1][3]
    path.write_bytes(path.read_bytes()[:-100])

    assert path.name in refusal_of(tmp_path).sentence


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")

    assert refusal_of(tmp_path).code == "NOT_DICOM"


def nifti(path: Path, values: NDArray[Any], affine: NDArray[np.float64] | None = None) -> Path:
    image = nibabel.Nifti1Image(values, np.diag([-1.0, -1, 1, 1]) if affine is None else affine)
    nibabel.save(image, path)
    return path


def test_values_are_rounded_and_what_is_below_air_is_air(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", np.array([[[-3024.0, -1024.4, 39.6, 5892.0]]], np.float32))

    assert open_volume(path).hu.ravel().tolist() == [-1024, -1024, 40, 5892]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (np.zeros((4, 4, 4, 3), np.int16), "NOT_3D"),
        (np.zeros((4, 4), np.int16), "NOT_3D"),
        (np.full((2, 2, 2), np.nan, np.float32), "NOT_FINITE"),
        (np.full((2, 2, 2), np.inf, np.float32), "NOT_FINITE"),
        (np.full((2, 2, 2), 40000.0, np.float32), "NOT_HU"),
        (np.zeros((2, 2, 2), np.complex64), "NOT_HU"),
        (np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "NOT_HU"),
    ],
)
def test_nifti_that_is_no_ct_volume_is_refused(tmp_path: Path, values: NDArray[Any], code: str) -> None:
    assert refusal_of(nifti(tmp_path / "a.nii", values)).code == code


def test_a_trailing_axis_of_one_is_none(tmp_path: Path) -> None:
    assert open_volume(nifti(tmp_path / "a.nii", np.zeros((4, 3, 2, 1), np.int16))).hu.shape == (2, 3, 4)


def test_a_sheared_nifti_is_refused(tmp_path: Path) -> None:
    tilted = np.diag([-1.0, -1, 1, 1])
    tilted[1, 2] = 0.3

    assert refusal_of(nifti(tmp_path / "a.nii", np.zeros((2, 2, 2), np.int16), tilted)).code == "SHEARED"


def test_a_nifti_that_does_not_say_where_left_is_is_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), None)
    nibabel.save(image, tmp_path / "a.nii")

    assert "left and right" in refusal_of(tmp_path / "a.nii").sentence


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_a_cut_off_nifti_is_refused(tmp_path: Path, volume: OpenedVolume, name: str) -> None:
    save_volume(tmp_path / name, *volume)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) - 30])

    assert refusal_of(tmp_path / name).code == "DAMAGED"


def test_a_header_without_its_raw_file_says_which_is_missing(tmp_path: Path, volume: OpenedVolume) -> None:
    save_volume(tmp_path / "a.mhd", *volume)
    (tmp_path / "a.raw").unlink()

    refused = refusal_of(tmp_path / "a.mhd")

    assert refused.code == "RAW_MISSING"
    assert "a.raw" in refused.sentence


def test_a_header_cannot_reach_into_other_folders(tmp_path: Path, volume: OpenedVolume) -> None:
    (tmp_path / "inner").mkdir()
    save_volume(tmp_path / "inner" / "a.mhd", *volume)
    (tmp_path / "secret.raw").write_bytes(bytes(1000))
    changed(tmp_path / "inner" / "a.mhd", "a.raw", "../secret.raw")

    assert refusal_of(tmp_path / "inner" / "a.mhd").code == "RAW_MISSING"


def changed(path: Path, old: str, new: str) -> Path:
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))
    return path


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("DimSize = 5 3 2", "DimSize = 5 3 2 1", "NOT_3D"),
        ("DimSize = 5 3 2", "DimSize = 5 3 20", "TRUNCATED"),
        ("DimSize = 5 3 2", "DimSize = 5 three 2", "NOT_METAIMAGE"),
        ("DimSize = 5 3 2", "DimSize = 4096 4096 4096", "TOO_LARGE"),
        ("DimSize = 5 3 2", "DimSize = 5 0 2", "EMPTY"),
        ("ElementType = MET_SHORT", "ElementNumberOfChannels = 3\nElementType = MET_UCHAR", "NOT_HU"),
        ("ElementType = MET_SHORT", "ElementType = MET_OTHER", "UNSUPPORTED"),
        ("ElementSpacing", "NoSpacing", "E_GEOM"),
        ("TransformMatrix = 0.59999999999999998", "TransformMatrix = 0.9", "SHEARED"),
        ("CompressedData = False", "CompressedData = True", "DAMAGED"),
        ("ObjectType = Image", "just some text", "NOT_METAIMAGE"),
    ],
)
def test_a_metaimage_that_cannot_be_trusted_is_refused(
    tmp_path: Path, volume: OpenedVolume, old: str, new: str, code: str
) -> None:
    save_volume(tmp_path / "a.mha", *volume)

    assert refusal_of(changed(tmp_path / "a.mha", old, new)).code == code


@pytest.mark.parametrize("kind", ["i1", "u1", ">i2", "<u2", "<i4", "<f4", ">f8"])
def test_every_type_of_number_is_read(tmp_path: Path, kind: str) -> None:
    names = {
        "i1": "CHAR",
        "u1": "UCHAR",
        "i2": "SHORT",
        "u2": "USHORT",
        "i4": "INT",
        "f4": "FLOAT",
        "f8": "DOUBLE",
    }
    values = np.arange(8).astype(kind).reshape(2, 2, 2)
    header = (
        f"NDims = 3\nElementByteOrderMSB = {kind[0] == '>'}\nDimSize = 2 2 2\nElementSpacing = 1 1 2\n"
        f"ElementType = MET_{names[kind[-2:]]}\nElementDataFile = a.raw\n"
    )
    (tmp_path / "a.mhd").write_text(header)
    (tmp_path / "a.raw").write_bytes(values.tobytes())

    assert np.array_equal(open_volume(tmp_path / "a.mhd").hu, values)


def test_an_unknown_ending_lists_what_can_be_opened(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(b"")

    assert ".nii.gz" in refusal_of(tmp_path / "a.nrrd").sentence
    with pytest.raises(ValueError, match="written as"):
        save_volume(
            tmp_path / "a.nrrd", np.zeros((1, 1, 1), np.int16), Geometry((1, 1, 1), (1, 1, 1), (0, 0, 0))
        )


def test_nothing_at_a_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file or folder"):
        open_volume(tmp_path / "none.nii")
