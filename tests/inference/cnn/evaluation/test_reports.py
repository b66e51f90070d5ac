"""The command: what it writes, and when it writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from inference.cnn.evaluation.page import KeyRow, Section, key_table, number, page
from inference.cnn.evaluation.plots import Axis, Line, confusion, plot, share_axis
from inference.cnn.evaluation.run import plain
from tests.inference.cnn.evaluation.layout import written

SEGMENTATION = ("n_nodules", "dice_mean", "dice_ci95", "dice_readers", "dice_pooled", "diameter_mae_mm")


def test_froc_writes_the_seven_sensitivities_and_a_report(tmp_path: Path) -> None:
    (tmp_path / "marks.csv").write_text(
        "seriesuid,coordX,coordY,coordZ,probability\na,0,0,0,0.9\na,9,9,9,0.1\n"
    )
    (tmp_path / "annotations.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\na,0,0,0,6\n")
    out = tmp_path / "out" / "froc.json"
    call_command("evaluate", "froc", data=tmp_path, out=out)
    told = json.loads(out.read_text())
    assert told["froc"] == [[rate, 1.0] for rate in (0.125, 0.25, 0.5, 1, 2, 4, 8)]
    assert (told["cpm"], told["n_nodules"], told["task"]) == (1.0, 1, "froc")
    report = out.with_suffix(".html").read_text()
    assert "<svg" in report
    assert "mean of the seven (CPM)" in report
    assert "src=" not in report.replace('src="data:', "")


def test_data_without_labels_stop_the_command_and_nothing_is_written(tmp_path: Path) -> None:
    folder = written(tmp_path / "lidc", "heldout", [3.0], ["3"])
    out = tmp_path / "report.json"
    with pytest.raises(CommandError, match="nothing to compare"):
        call_command("evaluate", "malignancy", data=folder, split="heldout", out=out)
    assert not out.exists()
    assert not out.with_suffix(".html").exists()


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("colour", "There is no task 'colour'; there are: detection"),
        ("segmenter", r"holds a file \*_nodules"),
    ],
)
def test_a_wrong_task_or_folder_is_told_in_words(tmp_path: Path, task: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("evaluate", task, data=tmp_path, out=tmp_path / "report.json")


def test_one_table_alone_is_not_enough_for_froc(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="both --marks and --annotations"):
        call_command("evaluate", "froc", marks=tmp_path / "m.csv", out=tmp_path / "report.json")


def test_what_is_undefined_becomes_null() -> None:
    assert plain({"a": float("nan"), "b": (1, 2.5), "c": None}) == {"a": None, "b": [1, 2.5], "c": None}
    assert number(float("nan")) == number(None) == "–"


def test_names_from_data_cannot_become_markup() -> None:
    told = {"task": "froc", "data": "<b>", "split": "val", "date": "2026-11-21", "networks": {}}
    written_page = page(told, "lead", [Section("<i>", "a & b", key_table([KeyRow("<u>", 0.5, (0.4, 0.6))]))])
    assert "<b>" not in written_page
    assert "<i>" not in written_page
    assert "<u>" not in written_page
    assert "0.400 – 0.600" in written_page


def test_a_logarithmic_axis_places_equal_ratios_equally_and_clips() -> None:
    axis = Axis("rate", 0.125, 8, (0.125, 8), log=True)
    assert axis.share(1.0) == pytest.approx(0.5)
    assert (axis.share(0.0), axis.share(20.0)) == (0.0, 1.0)


def test_a_plot_leaves_out_points_that_are_undefined() -> None:
    drawn = plot(
        "name", [Line("one", [(0.5, 0.5), (0.6, float("nan"))], "dots")], share_axis("x"), share_axis("y")
    )
    assert drawn.count("<circle") == 1


def test_a_confusion_table_tells_counts_and_shares() -> None:
    table = confusion(["no", "yes"], [[3, 1], [0, 0]], "truth", "told")
    assert "3<small>75 %" in table
    assert "0<small>0 %" in table


@pytest.mark.networks
@pytest.mark.shared
def test_real_nodules_are_outlined_and_measured(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    call_command("evaluate", "segmentation", data=shared / "data" / "lidc", limit=6, brief=True, out=out)
    told = json.loads(out.read_text())
    assert all(key in told for key in SEGMENTATION)
    assert all(key in told["all"] for key in SEGMENTATION)
    assert told["all"]["n_nodules"] == 6
    assert 0.3 < told["dice_mean"] < 1
    assert 0.5 < told["dice_readers"] < 1
    assert "data:image/png;base64," in out.with_suffix(".html").read_text()


@pytest.mark.networks
def test_nodules_of_a_split_never_seen_are_rated_and_searched(tmp_path: Path) -> None:
    folder = written(tmp_path / "lidc", "heldout", [3.0, 6.0, 4.0], ["2", "4", ""])
    out = tmp_path / "report.json"
    call_command("evaluate", "malignancy", data=folder, split="heldout", brief=True, out=out)
    told = json.loads(out.read_text())
    assert (told["n_nodules"], told["n_patients"], told["n_unrated"]) == (2, 2, 1)
    assert told["auc"] in (0.0, 1.0)
    assert told["diagnosis"]["n_patients"] == 0
    call_command("evaluate", "detection", data=folder, split="heldout", out=out)
    told = json.loads(out.read_text())
    assert told["n_nodules"] == 3
    assert len(told["froc"]) == 7
    assert 0.03 < told["field_litres"] <= 3 * 7 * 64 * 64 * 1.25 * 0.7 * 0.7 / 1e6
