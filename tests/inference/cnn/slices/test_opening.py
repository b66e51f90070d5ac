"""Opening a picture of unknown origin: what is kept, what is left behind, what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from inference.cnn.slices.opening import open_picture
from scans.dicom.refusal import Refused
from tests.dicom_files import ct_image
from tests.inference.cnn.slices.pictures import PIXEL_MM, chest_slice, dicom, png, shown

GREY = shown(chest_slice())


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_a_lossless_picture_opens_to_the_same_greys(kind):
    assert (open_picture(png(GREY, kind)).grey == GREY).all()


def test_a_jpeg_opens_to_nearly_the_same_greys():
    opened = open_picture(png(GREY, "JPEG", quality=90)).grey.astype(int)
    assert np.abs(opened - GREY).mean() < 3


def test_a_dicom_slice_keeps_its_hounsfield_units_and_pixel_size():
    hu = chest_slice()
    opened = open_picture(dicom(hu))
    assert opened.hu is not None
    assert (opened.hu == hu).all()
    assert opened.pixel_mm == (PIXEL_MM, PIXEL_MM)


def test_nothing_of_the_header_comes_along():
    names = {field.name for field in dataclasses.fields(open_picture(dicom(chest_slice())))}
    assert names == {"grey", "hu", "pixel_mm", "colour"}


def test_a_slice_without_pixel_size_opens_without_one():
    assert open_picture(dicom(chest_slice(), PixelSpacing=None)).pixel_mm is None


def test_a_picture_that_was_turned_by_its_camera_is_upright():
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held upright: rows are stored as columns
    opened = open_picture(png(GREY[:200], "JPEG", exif=turned))
    assert opened.grey.shape == (320, 200)


def test_sixteen_bits_become_eight():
    deep = png((GREY.astype(np.uint16) * 100), "PNG")
    opened = open_picture(deep).grey
    assert (opened.min(), opened.max()) == (0, 255)


def test_colour_is_measured():
    tinted = np.stack([GREY, GREY, np.zeros_like(GREY)], axis=-1)
    assert open_picture(png(tinted)).colour > 12
    assert open_picture(png(np.stack([GREY] * 3, axis=-1))).colour == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "NOT_A_PICTURE"),
        (b"no picture at all" * 20, "NOT_A_PICTURE"),
        (b"%PDF-1.7 " + b"\0" * 200, "NOT_A_PICTURE"),
        (b"GIF89a" + b"\0" * 200, "NOT_A_PICTURE"),
        (png(GREY)[:3000], "DAMAGED"),
        (png(GREY[:40, :40]), "TOO_SMALL"),
        (png(np.zeros((70, 5000), np.uint8)), "TOO_LARGE"),
        (ct_image(), "TOO_SMALL"),
        (dicom(chest_slice(), RescaleSlope=None), "NOT_HU"),
    ],
    ids=["empty", "text", "pdf", "gif", "cut off", "tiny", "huge", "tiny slice", "no Hounsfield units"],
)
def test_what_cannot_be_read_is_refused_with_its_reason(content, code):
    with pytest.raises(Refused) as refused:
        open_picture(content)
    assert refused.value.code == code
    assert refused.value.sentence.endswith(".")
