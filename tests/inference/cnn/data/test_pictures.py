"""Folders of labelled pictures, and which layout a folder has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.cnn.data.layout import Layout, recognise
from inference.cnn.data.nodules import nodule_samples
from inference.cnn.data.phantoms import phantom_image_folders, phantom_mask_folders
from inference.cnn.data.pictures import class_samples, grey, mask_samples, table_samples
from scans.dicom.refusal import Refused


def test_class_folders_give_labels(tmp_path: Path) -> None:
    phantom_image_folders(tmp_path, patients=2)

    samples = list(class_samples(tmp_path))

    assert recognise(tmp_path) == (Layout.CLASS_FOLDERS, tmp_path)
    assert [s.label for s in samples] == ["nodule"] * 3 + ["normal"] * 3
    assert samples[0].pixels().shape == (160, 160)
    assert samples[0].mask() is None


def test_masks_come_with_their_pictures(tmp_path: Path) -> None:
    phantom_mask_folders(tmp_path, patients=1)

    samples = {s.path.stem: s for s in mask_samples(tmp_path)}

    assert recognise(tmp_path) == (Layout.PICTURES_AND_MASKS, tmp_path)
    assert {name: s.label for name, s in samples.items()} == {
        "0-0": "outlined",
        "0-1": "outlined",
        "0-none": "",
    }
    mask = samples["0-0"].mask()
    assert mask is not None
    assert mask.sum() * 2.25**2 == pytest.approx(np.pi * 11**2, rel=0.15)
    assert samples["0-0"].pixels()[mask].mean() > 200


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    phantom_mask_folders(tmp_path, patients=1)
    Image.new("L", (5, 5)).save(tmp_path / "masks" / "0-0.png")

    with pytest.raises(Refused, match="another size"):
        list(mask_samples(tmp_path))


def test_a_table_gives_groups_and_splits(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("file,label,group,split\na.png,normal,7,val\n")

    sample = next(table_samples(tmp_path))

    assert recognise(tmp_path)[0] is Layout.PICTURE_TABLE
    assert (sample.patient_id, sample.label, sample.split) == ("7", "normal", "val")


def test_a_damaged_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")

    with pytest.raises(Refused, match=r"a\.png is damaged"):
        grey(tmp_path / "a.png")


def test_an_unknown_layout_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    with pytest.raises(Refused, match="LUNA16 as published"):
        recognise(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        recognise(tmp_path / "none")


def test_pictures_tell_of_no_nodules(tmp_path: Path) -> None:
    phantom_image_folders(tmp_path, patients=2)

    with pytest.raises(Refused, match="no nodules in 3D"):
        nodule_samples(tmp_path)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "layout", "inner"),
    [
        ("", Layout.LIDC_CROPS, "lidc"),
        ("lidc", Layout.LIDC_CROPS, ""),
        ("luna16", Layout.LUNA16_PATCHES, ""),
        ("iq-oth-nccd", Layout.PICTURE_TABLE, ""),
        ("whole", Layout.WHOLE_SCANS, ""),
    ],
)
def test_the_folders_beside_the_project_are_recognised(
    shared: Path, name: str, layout: Layout, inner: str
) -> None:
    folder = shared / "data" / name

    assert recognise(folder) == (layout, folder / inner)


@pytest.mark.shared
def test_stored_crops_come_by_split_or_all_together(shared: Path) -> None:
    assert len(nodule_samples(shared / "data", "val")) == 343
