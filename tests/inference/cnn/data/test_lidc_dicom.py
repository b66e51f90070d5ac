"""LIDC-IDRI as published: outlines become masks, ratings stay with their readers, marks become nodules."""

from __future__ import annotations

import lzma
import tarfile
from pathlib import Path

import numpy as np
import pytest

from inference.cnn.data.lidc_dicom import LidcScan, lidc_files, lidc_scan
from inference.cnn.data.lidc_marks import Contour, filled, read_marks
from inference.cnn.data.nodules import lidc_scan_nodules, nodule_samples
from inference.cnn.data.phantoms import READERS, drawn_line, phantom_lidc_dicom, reader_mask
from inference.cnn.training.lidc import LidcNodule, lidc_nodules
from scans.dicom.phantom import Phantom
from scans.dicom.refusal import Refused

SERIES = "lidc-idri-0003"


def contour(points: list[tuple[int, int]], inside: bool = True) -> Contour:
    return Contour("1.2", 0.0, np.array(points), inside)


SQUARE = [(x, y) for x, y in [(2, 2), (6, 2), (6, 6), (2, 6)]]


def test_the_drawn_line_is_no_part_of_the_nodule() -> None:
    mask = filled((contour(SQUARE),), (9, 9))

    assert mask.sum() == 9
    assert mask[3:6, 3:6].all()


def test_a_hole_is_taken_out_together_with_its_line() -> None:
    wide = [(0, 0), (8, 0), (8, 8), (0, 8)]

    mask = filled((contour(wide), contour([(3, 3), (5, 3), (5, 5), (3, 5)], inside=False)), (9, 9))

    assert mask.sum() == 49 - 9
    assert not mask[3:6, 3:6].any()


def test_a_single_point_outlines_nothing() -> None:
    assert not filled((contour([(4, 4)]),), (9, 9)).any()


def test_a_line_drawn_about_a_disc_gives_the_disc_back() -> None:
    y, x = np.indices((40, 40))
    disc = (y - 19.4) ** 2 + (x - 20.2) ** 2 < 11.3**2

    line = [(column, row) for row, column in drawn_line(disc)]

    assert np.array_equal(filled((contour(line),), disc.shape), disc)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Phantom]]:
    folder = tmp_path_factory.mktemp("lidc")
    return folder, phantom_lidc_dicom(folder, patients=2)


@pytest.fixture(scope="module")
def scans(published: tuple[Path, list[Phantom]]) -> list[LidcScan]:
    return [lidc_scan(files) for files in lidc_files(published[0])]


def test_each_patient_is_one_scan_with_the_voxels_of_its_slices(
    published: tuple[Path, list[Phantom]], scans: list[LidcScan]
) -> None:
    assert [s.patient_id for s in scans] == ["PHANTOM-0000", "PHANTOM-0001"]
    for scan, phantom in zip(scans, published[1], strict=True):
        assert np.array_equal(scan.hu, phantom.hu)
        assert scan.geometry == phantom.geometry


def test_marks_of_three_readers_become_two_nodules_with_the_outlines_that_were_drawn(
    published: tuple[Path, list[Phantom]], scans: list[LidcScan]
) -> None:
    for scan, phantom in zip(scans, published[1], strict=True):
        assert [len(nodule) for nodule in scan.nodules] == [READERS] * 2
        for number, nodule in enumerate(scan.nodules):
            for outline in nodule:
                drawn = reader_mask(phantom, number, outline.mark.session)
                found = outline.in_box(np.zeros(3, np.intp), phantom.geometry.shape)
                assert np.array_equal(found, drawn)


def test_small_nodules_and_non_nodules_are_points_apart(scans: list[LidcScan]) -> None:
    marks = scans[0].marks

    assert len(marks.small) == len(marks.other) == READERS
    assert not any(mark.is_outlined for mark in (*marks.small, *marks.other))


def test_rows_for_training_hold_outlines_ratings_and_place(published: tuple[Path, list[Phantom]]) -> None:
    rows = nodule_samples(published[0])

    assert [(r.nodule_id, r.patient_id, len(r.masks)) for r in rows] == [
        ("PHANTOM-0000_x0", "PHANTOM-0000", 3),
        ("PHANTOM-0000_x1", "PHANTOM-0000", 3),
        ("PHANTOM-0001_x0", "PHANTOM-0001", 3),
        ("PHANTOM-0001_x1", "PHANTOM-0001", 3),
    ]
    assert rows[0].malignancy == (1, 2, 3)
    assert rows[1].traits["spiculation"] == (2, 3, 4)
    assert rows[0].hu.shape == rows[0].masks[0].shape == (rows[0].hu.shape[0], 64, 64)
    assert rows[0].diameter_mm == pytest.approx(22 * 1.1, rel=0.05)
    assert rows[0].longest_mm == pytest.approx(22 * 1.1, rel=0.12)
    assert not rows[0].cut


def test_an_outline_on_a_slice_that_is_not_there_is_refused(tmp_path: Path) -> None:
    phantom = phantom_lidc_dicom(tmp_path, patients=1)[0]
    files = next(lidc_files(tmp_path))
    top = int(np.flatnonzero(reader_mask(phantom, 0, 2).any(axis=(1, 2))).max())
    for path in sorted(files.folder.glob("*.dcm"))[top:]:
        path.unlink()

    with pytest.raises(Refused, match="slice that is not in the series"):
        lidc_scan(files)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("<LidcReadMessage>", "damaged"),
        ("<IdriReadMessage xmlns='http://www.nih.gov'/>", "not the reading XML"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><LidcReadMessage/>", "entities"),
    ],
)
def test_xml_of_another_kind_is_refused(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "a.xml").write_text(text)

    with pytest.raises(Refused, match=wrong):
        read_marks(tmp_path / "a.xml")


def test_dicom_without_its_xml_says_what_is_missing(tmp_path: Path) -> None:
    phantom_lidc_dicom(tmp_path, patients=1)
    xml = next(tmp_path.rglob("*.xml"))
    xml.write_text(xml.read_text().replace("<SeriesInstanceUid>", "<SeriesInstanceUid>9."))

    with pytest.raises(Refused, match="reading XML"):
        nodule_samples(tmp_path)


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> LidcScan:
    folder = tmp_path_factory.mktemp("real")
    with tarfile.open(shared / "data" / "dicom" / "series" / f"{SERIES}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    xml = shared / "data" / "dicom" / "truth-sources" / f"{SERIES}.xml.xz"
    (folder / SERIES / "069.xml").write_bytes(lzma.decompress(xml.read_bytes()))
    return lidc_scan(next(lidc_files(folder)))


@pytest.mark.shared
def test_the_real_case_gives_the_outlines_and_ratings_of_the_stored_crops(
    shared: Path, real: LidcScan
) -> None:
    stored = [n for n in lidc_nodules(shared / "data", "val") if n.patient_id == "LIDC-IDRI-0003"]
    ours = list(lidc_scan_nodules(real))

    assert len(ours) == len(stored) == 4
    for kept in stored:
        twin = next(n for n in ours if placed_votes(n).shape == placed_votes(kept).shape and same(n, kept))
        assert twin.malignancy == kept.malignancy
        assert twin.texture == kept.texture
        assert twin.spacing_mm == kept.spacing_mm
        assert [m.sum() for m in twin.masks] == [m.sum() for m in kept.masks]
        assert twin.diameter_mm == pytest.approx(kept.diameter_mm, abs=0.01)
        assert twin.longest_mm == pytest.approx(kept.longest_mm, rel=0.03)


def placed_votes(nodule: LidcNodule) -> np.ndarray:
    """Votes cut to the box that holds any: free of where the crop was laid."""
    where = [np.flatnonzero(nodule.votes.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    return nodule.votes[tuple(slice(w[0], w[-1] + 1) for w in where)]


def same(one: LidcNodule, other: LidcNodule) -> bool:
    """Every voxel has the same votes: a Dice of exactly 1 for every reader's consensus."""
    return bool(np.array_equal(placed_votes(one), placed_votes(other)))
