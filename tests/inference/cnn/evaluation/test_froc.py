"""The FROC program: LUNA16's rules on small tables, and a published set of marks with a known answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.cnn.evaluation.errors import EvaluationError
from inference.cnn.evaluation.froc import RATES, Marks, cpm_interval, curve, froc_figures, sensitivities
from inference.cnn.evaluation.luna import FrocFiles, matched, named_in

KNOWN = (0.692, 0.769, 0.824, 0.865, 0.893, 0.917, 0.933)


@pytest.mark.shared
def test_the_published_marks_give_their_published_sensitivities(shared: Path) -> None:
    told = froc_figures(matched(named_in(shared / "data" / "luna16")))
    assert [found for _, found in told["froc"]] == pytest.approx(KNOWN, abs=0.001)
    assert told["cpm"] == pytest.approx(0.842, abs=0.001)
    low, high = told["cpm_ci95"]
    assert low < 0.842 < high < low + 0.1


def _table(path: Path, last: str, rows: list[str]) -> Path:
    path.write_text("\n".join([f"seriesuid,coordX,coordY,coordZ,{last}", *rows]) + "\n")
    return path


@pytest.fixture
def files(tmp_path: Path) -> FrocFiles:
    """Scan a: a nodule hit twice, an excluded finding, an alarm. Scan b: a missed nodule and an alarm."""
    marks = ["a,0,0,1,0.9", "a,0,0,2,0.5", "a,50,0,0,0.8", "a,90,0,0,0.7", "b,9,9,9,0.6"]
    return FrocFiles(
        _table(tmp_path / "marks.csv", "probability", marks),
        _table(tmp_path / "annotations.csv", "diameter_mm", ["a,0,0,0,6", "b,0,0,0,6"]),
        _table(tmp_path / "annotations_excluded.csv", "diameter_mm", ["a,50,0,4,-1"]),
    )


def test_the_best_mark_counts_once_and_marks_on_excluded_findings_do_not_count(files: FrocFiles) -> None:
    marks = matched(files)
    assert sorted(marks.score[marks.hit]) == [0.9]
    assert sorted(marks.score[~marks.hit]) == [0.6, 0.7]
    assert (marks.nodules.sum(), len(marks.field)) == (2, 2)


def test_scans_without_any_mark_count_where_the_list_of_scans_names_them(
    files: FrocFiles, tmp_path: Path
) -> None:
    scans = tmp_path / "seriesuids.csv"
    scans.write_text("a\nb\nc\nd\n")
    marks = matched(FrocFiles(files.marks, files.annotations, files.exclusions, scans))
    alarms, found = curve(marks)
    assert (alarms[-1], found[-1]) == (0.5, 0.5)


def test_a_mark_on_the_radius_is_outside(tmp_path: Path) -> None:
    marks = _table(tmp_path / "m.csv", "probability", ["a,0,0,3,0.9"])
    nodules = _table(tmp_path / "n.csv", "diameter_mm", ["a,0,0,0,6"])
    assert not matched(FrocFiles(marks, nodules)).hit.any()


def test_a_table_without_the_columns_is_refused_by_their_names(tmp_path: Path, files: FrocFiles) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("seriesuid,x,y,z,probability\na,1,2,3,0.5\n")
    with pytest.raises(EvaluationError, match="lacks the columns coordx, coordy, coordz"):
        matched(FrocFiles(wrong, files.annotations))


def _marks() -> Marks:
    """Two groups: one nodule found at 0.9 and one alarm at 0.5; one nodule found at 0.4."""
    return Marks(
        np.array([0.9, 0.5, 0.4]), np.array([True, False, True]), np.array([0, 0, 1]), np.ones(2), np.ones(2)
    )


def test_between_thresholds_the_curve_is_linear_and_beyond_its_end_it_stays() -> None:
    alarms, found = curve(_marks())
    assert (list(alarms), list(found)) == ([0, 0, 0.5, 0.5], [0, 0.5, 0.5, 1.0])
    assert sensitivities(_marks())[RATES.index(8.0)] == 1.0


def test_groups_that_are_drawn_twice_count_twice() -> None:
    alarms, found = curve(_marks(), np.array([2.0, 0.0]))
    assert (alarms[-1], found[-1]) == (1.0, 1.0)
    low, high = cpm_interval(_marks(), rounds=50)
    assert 0 <= low <= high <= 1
