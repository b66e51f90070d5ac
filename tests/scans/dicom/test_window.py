"""Hounsfield units become grey levels and key images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scans.dicom.window import (
    LUNG,
    OUTLINE_COLOUR,
    PRESETS,
    Crop,
    Window,
    crop_around,
    render_key_image,
    render_slice,
    to_unit,
)

SLICE = np.full((128, 128), -850, np.int16)
DISC = np.hypot(*np.mgrid[-64:64, -64:64]) < 12


def test_the_presets_are_those_of_the_clinic() -> None:
    assert PRESETS["lung"] == Window(-600, 1500)
    assert PRESETS["mediastinum"] == Window(40, 400)
    assert PRESETS["bone"] == Window(400, 1800)


@pytest.mark.parametrize(("hu", "grey"), [(-1350, 0), (-2000, 0), (150, 255), (3000, 255), (-600, 128)])
def test_a_slice_is_rendered_by_the_linear_window(hu: int, grey: int) -> None:
    assert render_slice(np.full((2, 2), hu, np.int16), LUNG)[0, 0] == grey


@pytest.mark.shared
def test_the_clinical_vectors_for_windows_hold(shared: Path) -> None:
    vectors = json.loads((shared / "clinical_vectors.json").read_text())
    tried = [v for v in vectors if v["inputs"].get("op") == "window_to_unit"]
    assert len(tried) == 2
    for vector in tried:
        one = vector["inputs"]
        grey = to_unit(np.array([one["hu"]], float), Window(one["center"], one["width"]))
        assert grey[0] == pytest.approx(vector["expected"]["gray"], abs=1e-6)


@pytest.mark.parametrize(("pixel_mm", "size"), [((1.0, 1.0), (320, 320)), ((2.0, 1.0), (320, 640))])
def test_a_key_image_is_at_least_320_pixels_wide_in_true_proportions(
    pixel_mm: tuple[float, float], size: tuple[int, int]
) -> None:
    image = render_key_image(SLICE, None, crop=Crop(10, 10, 40, 40), pixel_mm=pixel_mm)
    assert image.size == size


def test_a_large_slice_is_not_shrunk() -> None:
    assert render_key_image(np.zeros((512, 640), np.int16), None).size == (640, 512)


def test_the_outline_is_orange_two_pixels_wide_and_just_outside_the_nodule() -> None:
    pixels = np.asarray(render_key_image(SLICE, DISC, crop=Crop(32, 32, 64, 64)), int)
    orange = (pixels[160, :, 0] - pixels[160, :, 2]) / (OUTLINE_COLOUR[0] - OUTLINE_COLOUR[2])
    left, right = orange[:160], orange[160:]
    assert [left.sum(), right.sum()] == pytest.approx([2, 2], abs=0.4)
    scale = 320 / 64
    assert np.average(np.arange(160), weights=left) == pytest.approx(160 - 12 * scale, abs=4)
    assert np.average(np.arange(160), weights=right) == pytest.approx(12 * scale, abs=4)
    assert pixels[160, 160].tolist() == pixels[0, 0].tolist()


@pytest.mark.parametrize("mask", [None, np.zeros((128, 128), bool)])
def test_without_a_finding_the_key_image_is_grey(mask: np.ndarray | None) -> None:
    pixels = np.asarray(render_key_image(SLICE, mask))
    assert np.all(pixels == pixels[..., :1])


def test_a_finding_of_one_pixel_has_an_outline_too() -> None:
    mask = np.zeros((128, 128), bool)
    mask[64, 64] = True
    pixels = np.asarray(render_key_image(SLICE, mask, crop=Crop(48, 48, 32, 32)), int)
    assert (pixels[..., 0] - pixels[..., 2] > 80).sum() > 20


@pytest.mark.parametrize("center", [(0.0, 0.0), (64.0, 64.0), (127.0, 127.0)])
def test_a_crop_stays_inside_the_slice(center: tuple[float, float]) -> None:
    crop = crop_around(center, 40, (0.8, 0.8), (128, 128))
    assert (crop.rows, crop.columns) == (50, 50)
    assert 0 <= crop.row <= center[0] <= crop.row + crop.rows
    assert crop.row + crop.rows <= 128
    assert crop.column + crop.columns <= 128


def test_a_crop_larger_than_the_slice_is_the_slice() -> None:
    assert crop_around((5, 5), 500, (1, 1), (128, 100)) == Crop(0, 0, 128, 100)
