"""Data that nobody has seen before, in the layouts that are known."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from inference.cnn.evaluation.detection import hits
from inference.cnn.evaluation.errors import EvaluationError, NoLabelsError
from inference.cnn.evaluation.malignancy import check_rated
from inference.cnn.evaluation.neighbours import Neighbourhood, Point, points_of
from inference.cnn.evaluation.nodules import cases
from inference.cnn.evaluation.segmentation import Drawn, by_readers, majority
from inference.cnn.evaluation.stacks import gone_on, reflected, windowed
from tests.inference.cnn.evaluation.layout import SLICES, SPACING_MM, ball, written


@pytest.fixture
def kept_aside(tmp_path: Path) -> Path:
    return written(tmp_path / "lidc", "heldout", [3.0, 4.0, 5.0], ["2", "", "4.0"])


@pytest.mark.parametrize("inner", [True, False])
def test_a_split_of_any_name_is_read_from_the_folder_or_from_the_one_above(
    kept_aside: Path, inner: bool
) -> None:
    found = cases(kept_aside if inner else kept_aside.parent, "heldout")
    assert [c.nodule.patient_id for c in found] == ["P0", "P1", "P2"]
    assert (found[0].consensus == ball(3.0)).all()
    assert found[0].nodule.hu[SLICES // 2, 32, 32] == 24
    assert found[0].nodule.hu[0, 0, 0] == -864


def test_all_takes_every_split_and_an_unknown_one_names_those_that_there_are(kept_aside: Path) -> None:
    written(kept_aside, "other", [6.0], ["1"])
    assert len(cases(kept_aside, "all")) == 4
    with pytest.raises(EvaluationError, match="no split 'val'; there are: heldout, other, all"):
        cases(kept_aside, "val")


def test_reader_bits_that_a_spreadsheet_took_for_a_number_get_their_zero_back(kept_aside: Path) -> None:
    case = cases(kept_aside, "heldout")[0]
    assert case.readers == 3
    assert (case.nodule.masks[2] == ball(3.8)).all()


def test_without_a_rating_a_nodule_has_none(kept_aside: Path) -> None:
    assert [c.malignancy for c in cases(kept_aside, "heldout")] == [2.0, None, 4.0]


def test_a_missing_shard_leaves_out_its_nodules_and_no_outline_at_all_stops(kept_aside: Path) -> None:
    (kept_aside / "heldout_00_readers.npy.xz").unlink()
    with pytest.raises(NoLabelsError, match=r"reader's outline .* nothing can be measured"):
        cases(kept_aside, "heldout")


def test_undecided_and_unrated_nodules_are_nothing_to_compare(tmp_path: Path) -> None:
    folder = written(tmp_path / "lidc", "heldout", [3.0, 4.0], ["3", ""])
    with pytest.raises(NoLabelsError, match="rating other than 3"):
        check_rated(cases(folder, "heldout"))


def test_stacks_give_an_outline_back_where_it_was(kept_aside: Path) -> None:
    case = cases(kept_aside, "heldout")[2]
    for stack in (reflected(case), gone_on(case, np.random.default_rng(0)), windowed(case, (12, -9))):
        z, y, x = (int(o) for o in stack.offset)
        inside = stack.hu[z : z + SLICES, max(y, 0) : y + 64, max(x, 0) : x + 64]
        assert (inside[:, 32 + min(y, 0), 32 + min(x, 0)] == case.nodule.hu[:, 32, 32]).all()
        voxel = np.array([3.0, 32.0, 32.0])
        assert stack.voxel(stack.place_mm(voxel)) == pytest.approx(voxel)
        assert (stack.on_crop((z, y, x), ball(5.0)) == ball(5.0)).all()


def test_the_field_of_a_moved_window_is_what_the_crop_holds_of_it(kept_aside: Path) -> None:
    stack = windowed(cases(kept_aside, "heldout")[0], (12, -4))
    voxels = SLICES * (64 - 12) * (64 - 4)
    assert stack.field_ml == pytest.approx(voxels * np.prod(SPACING_MM) / 1000)
    assert stack.in_field(np.array([0.0, 12.0, 0.0]))
    assert not stack.in_field(np.array([0.0, 11.0, 0.0]))
    assert not stack.in_field(np.array([-1.0, 32.0, 32.0]))


def test_a_mark_beside_the_outline_hits_and_one_farther_off_does_not(kept_aside: Path) -> None:
    case = cases(kept_aside, "heldout")[0]
    widest = 3.8 / SPACING_MM[2]
    assert hits(case, np.array([3.0, 32.0, 32 + widest + 1.5]))
    assert not hits(case, np.array([3.0, 32.0, 32 + widest + 4]))


def test_other_outlines_and_point_marks_of_the_series_are_known(kept_aside: Path) -> None:
    here, other = cases(kept_aside, "heldout")[:2]
    beside = Point("P0", 2 * SPACING_MM[0], 110.0, 120.0)
    known = Neighbourhood([here, other], [beside])
    assert known.marked(here, np.array([2.0, 10.0, 24.0]))
    assert not known.marked(here, np.array([2.0, 10.0, 26.0]))
    assert not known.marked(here, np.array([4.1, 10.0, 20.0]))


def test_an_outline_of_the_same_series_is_found_by_its_place(tmp_path: Path) -> None:
    folder = written(tmp_path / "lidc", "heldout", [3.0, 4.0], ["2", "2"])
    path = folder / "heldout_nodules.csv"
    path.write_text(
        path.read_text().replace("1.2.1", "1.2.0").replace("P1,", "P0,").replace("P1_n0", "P0_n1")
    )
    rows = list(csv.DictReader(path.open()))
    rows[1]["col0_in_512"] = "120"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    here, other = cases(folder, "heldout")
    known = Neighbourhood([here, other], [])
    assert known.marked(here, np.array([3.0, 32.0, 52.0]))
    assert not known.marked(here, np.array([3.0, 32.0, 42.0]))


def test_point_marks_are_placed_by_their_wide_slice(tmp_path: Path) -> None:
    (tmp_path / "x_wide.csv").write_text("row,patient_id,z_mm,row0_in_512,col0_in_512\n4,P0,-20.0,200,300\n")
    (tmp_path / "x_wide_points.csv").write_text("row,kind,y,x,dz_mm\n4,small_nodule,7,8,2.5\n")
    assert points_of(tmp_path, "x") == [Point("P0", -17.5, 207.0, 308.0)]
    assert points_of(tmp_path, "none") == []


def test_pooled_dice_weighs_voxels_and_the_mean_weighs_nodules(kept_aside: Path) -> None:
    drawn = [
        Drawn(c, mask, None, reflected(c))
        for c, mask in zip(cases(kept_aside, "heldout"), (ball(3.0), ball(0.0), ball(5.0)), strict=True)
    ]
    told = by_readers(drawn)
    sizes = [int(ball(r).sum()) for r in (3.0, 4.0, 5.0)]
    one = 2 / (1 + sizes[1])
    assert told["dice_mean"] == pytest.approx((2 + one) / 3)
    pooled = 2 * (sizes[0] + 1 + sizes[2]) / (2 * sizes[0] + 1 + sizes[1] + 2 * sizes[2])
    assert told["dice_pooled"] == pytest.approx(pooled)
    assert told["all"]["n_nodules"] == told["n_nodules"] == 3


def test_a_reader_is_measured_against_the_majority_of_the_others(kept_aside: Path) -> None:
    case = cases(kept_aside, "heldout")[0]
    small, wide = ball(3.0), ball(3.8)
    union = small | wide
    assert (majority([small, wide]) == union).all()
    told = by_readers([Drawn(case, small, None, reflected(case))])
    pair = 2 * (small & union).sum() / (small.sum() + union.sum())
    last = 2 * (wide & small).sum() / (small.sum() + wide.sum())
    assert told["dice_readers"] == pytest.approx((2 * pair + last) / 3)
    assert told["dice_vs_majority_of_others"] == pytest.approx((2 * pair + 1) / 3)


def test_a_row_that_cannot_be_read_is_named_by_its_line(kept_aside: Path) -> None:
    path = kept_aside / "heldout_nodules.csv"
    path.write_text(path.read_text().replace("P1_n0,P1,heldout_00,7,7,1.25", "P1_n0,P1,heldout_00,7,7,thin"))
    with pytest.raises(EvaluationError, match=r"heldout_nodules.csv, line 3: .*could not convert"):
        cases(kept_aside, "heldout")


def test_without_nodules_of_three_readers_the_headline_is_empty_and_says_so(kept_aside: Path) -> None:
    told = by_readers([])
    assert (told["n_nodules"], told["dice_mean"], told["all"]["n_nodules"]) == (0, None, 0)
