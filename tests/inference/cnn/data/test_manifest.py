"""A manifest pins the files and keeps each patient in one split."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.cnn.data.manifest import SHARES, Manifest, ManifestError, pin, split_by_hash


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    (data / "inner").mkdir(parents=True)
    (data / "a.csv").write_text("first")
    (data / "inner" / "b.raw").write_bytes(b"second")
    return data


def test_a_manifest_pins_every_file_and_finds_it_unchanged(folder: Path, tmp_path: Path) -> None:
    made = pin(folder, "some layout", {"P1": "", "P2": "val"})
    made.save(tmp_path / "manifest.json")

    kept = Manifest.load(tmp_path / "manifest.json")
    kept.verify(folder)

    assert kept == made
    assert set(kept.files) == {"a.csv", "inner/b.raw"}
    assert kept.split_of("P2") == "val"
    assert kept.split_of("P1") == split_by_hash("P1", 0)


def test_a_changed_file_is_named(folder: Path) -> None:
    made = pin(folder, "some layout", {})
    (folder / "inner" / "b.raw").write_bytes(b"other!")

    with pytest.raises(ManifestError, match=r"inner/b\.raw is not what the manifest pinned"):
        made.verify(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    made = pin(folder, "some layout", {})
    (folder / "a.csv").unlink()

    with pytest.raises(ManifestError, match=r"a\.csv of the manifest is missing"):
        made.verify(folder)


def test_a_patient_in_two_splits_stops_everything(folder: Path, tmp_path: Path) -> None:
    pin(folder, "some layout", {"P1": "train", "P2": "val"}).save(tmp_path / "manifest.json")
    stored = json.loads((tmp_path / "manifest.json").read_text())
    stored["splits"]["val"].append("P1")
    (tmp_path / "manifest.json").write_text(json.dumps(stored))

    with pytest.raises(ManifestError, match="Patient P1 stands in train and in val"):
        Manifest.load(tmp_path / "manifest.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"splits": 3}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(ManifestError, match="not a manifest"):
        Manifest.load(tmp_path / "manifest.json")


def test_the_manifest_itself_is_left_out(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")

    assert "manifest.json" not in pin(folder, "x", {}, leave_out=[folder / "manifest.json"]).files


@given(st.text(min_size=1), st.integers(0, 99))
def test_a_patient_is_always_drawn_into_the_same_split(patient: str, seed: int) -> None:
    assert split_by_hash(patient, seed) == split_by_hash(patient, seed)


def test_the_shares_come_out_as_asked_for() -> None:
    drawn = Counter(split_by_hash(f"P{n}", 3) for n in range(4000))

    for split, share in SHARES.items():
        assert drawn[split] / 4000 == pytest.approx(share, abs=0.03)


def test_shares_that_are_not_the_whole_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        split_by_hash("P1", 0, {"train": 0.5})


def test_an_unknown_patient_is_said(folder: Path) -> None:
    with pytest.raises(KeyError, match="lists no patient P9"):
        pin(folder, "x", {"P1": ""}).split_of("P9")
