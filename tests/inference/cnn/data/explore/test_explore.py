"""What would leak is said before anybody trains, planted or real."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from inference.cnn.data.explore.catalogue import catalogue
from inference.cnn.data.explore.leakage import Leakage, clusters, leakage
from inference.cnn.data.phantoms import phantom_image_folders, phantom_lidc_dicom, phantom_luna16


def smooth_picture(seed: int) -> Image.Image:
    """A random landscape of 128 x 128: two of them do not look alike."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (12, 12), np.uint8))
    return small.resize((128, 128), Image.Resampling.BICUBIC)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty pictures of ten patients, two each, in clean splits."""
    rows = []
    for n in range(20):
        smooth_picture(n).save(tmp_path / f"p{5 * n}.png")
        rows.append([f"p{5 * n}.png", ("a", "b")[n % 2], f"patient {n // 2}", "val" if n >= 16 else "train"])
    write_table(tmp_path, rows)
    return tmp_path


def write_table(folder: Path, rows: list[list[str]]) -> None:
    with (folder / "images.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["file", "label", "group", "split"], *rows])


def rows_of(folder: Path) -> list[list[str]]:
    with (folder / "images.csv").open(newline="") as stream:
        return list(csv.reader(stream))[1:]


def look(folder: Path) -> Leakage:
    return leakage(catalogue(folder))


def sentences(found: Leakage, level: str) -> str:
    return " ".join(f.sentence for f in found.findings if f.level == level)


def test_clean_splits_are_called_clean(pictures: Path) -> None:
    found = look(pictures)

    assert not found.leaks
    assert "keep each patient in one split" in sentences(found, "good")
    assert "tear" in sentences(found, "beware"), "even so a random split would part patients"


def test_a_patient_in_two_splits_is_a_leak(pictures: Path) -> None:
    rows = rows_of(pictures)
    rows[19][2] = "patient 0"
    write_table(pictures, rows)

    assert "1 patient in more than one split: patient 0" in sentences(look(pictures), "leak")


def test_the_same_pixels_in_two_splits_are_a_leak_whatever_the_file(pictures: Path) -> None:
    Image.open(pictures / "p0.png").save(pictures / "p95.png", compress_level=1)

    assert "1 pair with the same pixels across" in sentences(look(pictures), "leak")


def test_neighbouring_slices_in_two_splits_are_a_leak(pictures: Path) -> None:
    rows = rows_of(pictures)
    mixed = Image.blend(smooth_picture(0), smooth_picture(50), 0.3)
    mixed.save(pictures / "p1.png")
    write_table(pictures, [*rows, ["p1.png", "a", "patient 99", "val"]])

    assert "neighbouring slices across the given splits" in sentences(look(pictures), "leak")


def test_near_identical_pictures_forbid_a_random_split(pictures: Path) -> None:
    rows = rows_of(pictures)
    for n in range(20):
        picture = np.asarray(smooth_picture(n), np.int16) + np.random.default_rng(n).integers(
            -4, 5, (128, 128)
        )
        name = f"q{1000 + 5 * n}.png"
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(pictures / name)
        rows.append([name, *rows[n][1:]])
    write_table(pictures, rows)

    found = look(pictures)

    assert len(found.alike) == 20
    assert "Do not split this at random" in sentences(found, "beware")
    assert not found.leaks


def test_folders_without_patients_say_that_nobody_knows(tmp_path: Path) -> None:
    phantom_image_folders(tmp_path, patients=2)

    found = look(tmp_path)

    assert "Nobody says which pictures are of one patient" in sentences(found, "beware")
    assert "Split by patient" in sentences(found, "beware")


def test_pairs_become_clusters() -> None:
    assert clusters([(0, 1), (1, 2), (4, 5)], 7) == [[0, 1, 2], [4, 5]]


@pytest.mark.parametrize("make", [phantom_luna16, phantom_lidc_dicom])
def test_published_layouts_are_reported_with_sizes_and_hounsfield_units(tmp_path: Path, make: object) -> None:
    make(tmp_path / "data", patients=1)  # type: ignore[operator]

    page = explored(tmp_path / "data", tmp_path)[1]

    assert "diameter, mm" in page
    assert "Intensities (HU)" in page
    assert "2 pictures" in page


def explored(folder: Path, out: Path, **options: object) -> tuple[str, str]:
    """What the command prints, and the page."""
    told = StringIO()
    call_command("explore", data=folder, out=out / "report.html", stdout=told, **options)
    return told.getvalue(), (out / "report.html").read_text()


def test_the_report_is_one_file_with_the_verdict_first(pictures: Path, tmp_path: Path) -> None:
    told, page = explored(pictures, tmp_path)

    assert "good:" in told
    assert page.index("verdict") < page.index("<h2>Counts")
    assert not re.search(r'(?:src|href)="(?!data:)', page), "nothing is loaded from elsewhere"
    assert page.count("<img") == 16, "eight of each label"
    for word in ("train", "val", "width, px", "by label"):
        assert word in page


def test_names_in_the_data_are_text_and_never_markup(pictures: Path, tmp_path: Path) -> None:
    rows = rows_of(pictures)
    rows[0][1] = "<script>alert(1)</script>"
    write_table(pictures, rows)

    assert "<script" not in explored(pictures, tmp_path)[1]


def test_a_leak_ends_with_1_only_if_asked_to(pictures: Path, tmp_path: Path) -> None:
    rows = rows_of(pictures)
    rows[19][2] = "patient 0"
    write_table(pictures, rows)

    assert "leak:" in explored(pictures, tmp_path)[0]
    with pytest.raises(SystemExit) as ended:
        explored(pictures, tmp_path, strict=True)
    assert ended.value.code == 1


def test_a_manifest_is_pinned_once_and_held_against_the_files_afterwards(
    pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("out")
    manifest = out / "manifest.json"

    assert "21 files and 10 patients pinned" in explored(pictures, out, manifest=manifest)[0]
    assert "as manifest.json pinned it" in explored(pictures, out, manifest=manifest)[0]
    smooth_picture(77).save(pictures / "p0.png")
    with pytest.raises(CommandError, match=r"p0\.png is not what the manifest pinned"):
        explored(pictures, out, manifest=manifest)


def test_an_unknown_folder_is_refused_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="none of the known layouts"):
        explored(tmp_path, tmp_path)


@pytest.mark.shared
def test_the_trap_of_iq_oth_nccd_is_found(shared: Path) -> None:
    found = look(shared / "data" / "iq-oth-nccd")

    told = re.search(r"at random: (\d+) pairs.*\((\d+)%", sentences(found, "beware"))
    assert told
    assert int(told[1]) > 150
    assert int(told[2]) > 30
    assert not found.leaks


@pytest.mark.shared
def test_patients_of_luna16_patches_do_not_cross_but_those_of_its_source_did(shared: Path) -> None:
    found = look(shared / "data" / "luna16")

    assert not found.leaks
    assert "source_split leaks" in sentences(found, "beware")


@pytest.mark.shared
def test_patients_of_lidc_do_not_cross(shared: Path) -> None:
    found = look(shared / "data" / "lidc")

    assert not found.leaks
    assert "keep each patient in one split" in sentences(found, "good")
