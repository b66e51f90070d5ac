"""Whether a picture looks like a chest CT, and what its grey levels mean."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from inference.cnn.slices.anatomy import anatomy, assumed_hu, assumed_pixel_mm
from inference.cnn.slices.features import FEATURES, picture_features
from inference.cnn.slices.opening import open_picture
from inference.cnn.slices.plausibility import NOT_CT, familiar, remarks_on
from tests.inference.cnn.slices.pictures import NODULE, PIXEL_MM, chest_slice, dicom, photograph, png, shown


def codes(content):
    picture = open_picture(content)
    return [remark.code for remark in remarks_on(picture, anatomy(picture))]


def test_a_chest_slice_raises_no_doubt():
    assert codes(dicom(chest_slice())) == []


def test_a_picture_of_a_chest_is_told_to_have_no_scale():
    assert codes(png(shown(chest_slice()))) == ["NO_HOUNSFIELD"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (photograph(), "colour"),
        (png(np.full((300, 300), 255, np.uint8)), "no body"),
        (png(np.zeros((300, 300), np.uint8)), "no body"),
        (png(shown(chest_slice())[:120]), "longer than wide"),
    ],
    ids=["photograph", "white page", "black", "strip"],
)
def test_what_is_no_chest_ct_is_said_to_be_none(content, why):
    picture = open_picture(content)
    (remark,) = remarks_on(picture, anatomy(picture))
    assert remark.code == NOT_CT
    assert why in remark.sentence


def test_a_slice_through_the_belly_has_no_lung():
    hu = chest_slice()
    y, x = np.indices(hu.shape)
    hu[((x - 160) / 138) ** 2 + ((y - 160) / 98) ** 2 < 1] = 50
    assert codes(dicom(hu)) == ["NO_LUNG"]


def test_lungs_lie_where_they_are():
    hu = chest_slice(nodule=False)
    found = anatomy(open_picture(dicom(hu)))
    assert found.lungs[155, 95]
    assert found.lungs[155, 225]
    assert not found.lungs[160, 160]
    assert not found.lungs[5, 5]


@pytest.mark.parametrize("window", ["lung", "wide_lung"])
def test_hounsfield_units_are_guessed_from_a_lung_window(window):
    hu = chest_slice()
    picture = open_picture(png(shown(hu, window)))
    guessed = assumed_hu(picture.grey, anatomy(picture))
    assert guessed is not None
    assert abs(int(guessed[155, 80]) + 860) < 60
    assert abs(int(guessed[NODULE]) - 30) < 80


def test_a_window_that_blackens_the_lung_gives_no_hounsfield_units():
    picture = open_picture(png(shown(chest_slice(), "mediastinum")))
    found = anatomy(picture)
    assert assumed_hu(picture.grey, found) is None
    assert found.hollow > 0.1


def test_the_pixel_size_is_guessed_from_the_width_of_the_body():
    picture = open_picture(png(shown(chest_slice())))
    assert assumed_pixel_mm(anatomy(picture))[0] == pytest.approx(350 / 280, rel=0.05)
    assert PIXEL_MM < 350 / 280


def test_features_are_as_many_as_the_network_wants_whatever_the_size():
    grey = shown(chest_slice(), "mediastinum")
    small, large = picture_features(grey), picture_features(np.kron(grey, np.ones((2, 2), np.uint8)))
    assert small.shape == large.shape == (FEATURES,)
    assert np.isfinite(small).all()


def test_a_mirrored_picture_has_nearly_the_same_features():
    grey = shown(chest_slice(), "mediastinum")
    assert picture_features(grey[:, ::-1].copy()) == pytest.approx(picture_features(grey), abs=0.25)


def test_a_picture_is_familiar_if_few_features_lie_outside():
    told = {"low": [0.0] * 4, "high": [1.0] * 4, "most_outside": 1}
    assert familiar(np.array([0.5, 0.5, 0.5, 9.0], np.float32), told)
    assert not familiar(np.array([0.5, 0.5, -9.0, 9.0], np.float32), told)


@pytest.mark.shared
def test_real_soft_tissue_windows_are_taken_for_chest_ct_with_black_lungs(shared):
    folder = shared / "data" / "iq-oth-nccd"
    with (folder / "images.csv").open() as stream:
        rows = list(csv.DictReader(stream))[::60]
    pictures = [open_picture((folder / row["file"]).read_bytes()) for row in rows]
    found = [anatomy(picture) for picture in pictures]
    doubts = [r.code for p, f in zip(pictures, found, strict=True) for r in remarks_on(p, f)]
    assert set(doubts) == {"NO_HOUNSFIELD"}
    black = sum(assumed_hu(p.grey, f) is None for p, f in zip(pictures, found, strict=True))
    assert black >= 0.9 * len(pictures)
