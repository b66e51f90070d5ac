"""The classifier of single pictures: groups stay together, the figures are those of unseen groups."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inference.cnn.networks import WEIGHTS, WeightsRefusedError, checked, manifest
from inference.cnn.slices import dataset, evaluation
from inference.cnn.slices.classifier import Classified, classify, load_classifier, probabilities
from inference.cnn.slices.dataset import CLASSES, Slices, balanced_accuracy, dealt, read_slices
from inference.cnn.slices.features import FEATURES, picture_features
from inference.cnn.slices.opening import open_picture
from inference.cnn.slices.read import BLACK_LUNG, ONE_SLICE, read_picture
from tests.inference.cnn.slices.pictures import NODULE, NODULE_MM, chest_slice, dicom, photograph, png, shown


def made(groups: int = 30, seed: int = 0) -> Slices:
    """Features drawn at random for pictures of three classes in groups of different size."""
    rng = np.random.default_rng(seed)
    label, group = [], []
    for number in range(groups):
        size = int(rng.integers(1, 9))
        label += [number % 3] * size
        group += [f"g{number}"] * size
    features = rng.normal(0, 1, (len(label), FEATURES)).astype(np.float32)
    split = tuple("train" if int(name[1:]) % 4 else "val" for name in group)
    return Slices(features, np.array(label), tuple(group), split, tuple(map(Path, group)))


@pytest.fixture
def folder(tmp_path):
    """A data set in the layout of iq-oth-nccd with six pictures."""
    lines = ["file,label,group,split"]
    for number in range(6):
        name = f"{number}.png"
        (tmp_path / name).write_bytes(png(shown(chest_slice(seed=number), "mediastinum")))
        lines.append(f"{name},{CLASSES[number % 3]},{number // 2},{'train' if number < 4 else 'val'}")
    (tmp_path / "images.csv").write_text("\n".join(lines))
    dataset.read_slices.cache_clear()
    return tmp_path


def test_no_group_is_in_two_folds():
    slices = made()
    fold = dealt(slices, 5)
    for name in set(slices.group):
        assert len(set(fold[np.array(slices.group) == name])) == 1


def test_every_fold_has_every_class():
    slices = made()
    fold = dealt(slices, 5)
    assert {(k, c) for k, c in zip(fold, slices.label, strict=True)} == {
        (k, c) for k in range(5) for c in range(3)
    }


def test_classes_are_drawn_alike_and_large_groups_less_than_their_size():
    slices = made()
    weight = slices.weight
    assert [weight[slices.label == c].sum() for c in range(3)] == pytest.approx([1 / 3] * 3)
    sizes = {
        name: slices.group.count(name) for name in slices.group if slices.label[slices.group.index(name)] == 0
    }
    large, small = max(sizes, key=sizes.get), min(sizes, key=sizes.get)  # type: ignore[arg-type]
    one = {name: weight[slices.group.index(name)] for name in (large, small)}
    assert one[large] < one[small]


def test_balanced_accuracy_is_the_mean_of_the_recalls():
    assert balanced_accuracy([0, 0, 0, 1], [0, 0, 1, 1]) == pytest.approx((2 / 3 + 1) / 2)


def test_a_table_is_read_with_groups_and_splits(folder):
    slices = read_slices(folder)
    assert len(slices) == 6
    assert slices.features.shape == (6, FEATURES)
    assert slices.group == ("0", "0", "1", "1", "2", "2")
    assert list(slices.where("val")) == [4, 5]
    assert read_slices(folder, "val").features == pytest.approx(slices.features[4:])


def test_a_folder_without_table_or_labels_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_slices(tmp_path)
    (tmp_path / "images.csv").write_text("file,label\na.png,\n")
    with pytest.raises(ValueError, match="label"):
        read_slices(tmp_path)
    with pytest.raises(evaluation.NoLabelsError):
        evaluation.figures(tmp_path, "val")


def test_a_confusion_counts_rows_by_truth():
    counts = evaluation.confusion(np.array([0, 0, 1, 2]), np.array([0, 2, 1, 2]))
    assert counts == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]


def test_the_nearest_neighbour_never_looks_at_what_it_is_asked_about():
    small = np.array([[0.0], [0.1], [5.0], [5.1]], np.float32)
    label = np.array([0, 1, 1, 0])
    known = np.array([False, True, False, True])
    said = evaluation.nearest(small, label, [(known, ~known)])
    assert list(said) == [1, 0, 0, 0]


def test_heads_that_disagree_give_low_confidence():
    certain = np.tile([[0.0, 0.0, 9.0]], (8, 1))
    torn = np.stack([np.roll([3.0, 0.0, 0.0], k % 3) for k in range(8)])
    for logits, expected in ((certain, "high"), (torn, "low")):
        said = classify(np.zeros(FEATURES, np.float32), lambda x, z=logits: z[None].astype(np.float32))
        assert said.confidence == expected
    assert sum(probabilities(certain[None].astype(np.float32))[0]) == pytest.approx(1)


def test_the_manifest_says_what_the_classes_are_worth():
    told = manifest("slices")
    figures = told["cross_validation"]
    low, high = figures["balanced_accuracy_ci95"]
    assert low < figures["balanced_accuracy"] < high
    assert len(figures["folds"]) == 5
    assert figures["random_split_balanced_accuracy"] > 0.9 > figures["balanced_accuracy"]
    assert figures["nearest_neighbour_balanced_accuracy"] < figures["balanced_accuracy"]
    assert (WEIGHTS / "slices.weights.h5").stat().st_size < 2_000_000


def test_other_weights_than_those_of_the_manifest_are_refused(tmp_path):
    told = manifest("slices")
    (tmp_path / "slices.json").write_text(json.dumps(told))
    content = bytearray((WEIGHTS / "slices.weights.h5").read_bytes())
    content[-1] ^= 1
    (tmp_path / "slices.weights.h5").write_bytes(content)
    with pytest.raises(WeightsRefusedError):
        checked("slices", tmp_path)


@pytest.mark.networks
def test_the_shipped_network_is_repeatable_and_sums_to_one():
    features = picture_features(shown(chest_slice(), "mediastinum"))
    first, again = (classify(features, load_classifier()) for _ in range(2))
    assert isinstance(first, Classified)
    assert first == again
    assert sum(first.probabilities.values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.networks
def test_a_nodule_on_one_slice_is_outlined_in_its_place_and_size():
    said = read_picture(open_picture(dicom(chest_slice())))
    assert said.outline_note == ONE_SLICE
    outline = said.outlines[0]
    x, y = np.mean(outline.points, axis=0)
    assert (y, x) == pytest.approx((NODULE[0] + 0.5, NODULE[1] + 0.5), abs=3)
    assert outline.diameter_mm == pytest.approx(NODULE_MM, abs=3)
    assert "balanced accuracy" in said.worth


@pytest.mark.networks
def test_a_picture_without_scale_is_outlined_without_millimetres():
    said = read_picture(open_picture(png(shown(chest_slice()))))
    assert {o.diameter_mm for o in said.outlines} == {None}
    assert [r.code for r in said.remarks][-1] == "NO_HOUNSFIELD"


@pytest.mark.networks
def test_a_black_lung_is_classified_but_not_outlined():
    said = read_picture(open_picture(png(shown(chest_slice(), "mediastinum"))))
    assert said.label in CLASSES
    assert (said.outlines, said.outline_note) == ((), BLACK_LUNG)


def test_a_photograph_gets_no_class_and_needs_no_network():
    said = read_picture(open_picture(photograph()), _forbidden, _forbidden)
    assert (said.label, said.probability, said.outlines) == (None, None, ())
    assert "colour" in said.remarks[0].sentence


def _forbidden():
    raise AssertionError("a network was loaded")


@pytest.mark.networks
def test_training_prepares_batches_and_figures(folder):
    from inference.cnn.slices.training import prepare
    from inference.cnn.training.config import config_for
    from inference.cnn.training.prepared import SCORE

    ready = prepare(folder, config_for("slices"), None)
    x, y = ready.make(np.random.default_rng(1))
    assert x.shape == (64, FEATURES)
    assert y.shape[0] == 64
    before = float(ready.model.train_on_batch(x, y))
    for step in range(30):
        after = float(ready.model.train_on_batch(*ready.make(np.random.default_rng(step))))
    assert after < before
    assert ready.validate is not None
    assert 0 <= ready.validate(ready.model)[SCORE] <= 1


@pytest.mark.networks
@pytest.mark.shared
def test_the_shipped_network_reaches_its_figures_on_groups_never_trained_on(shared):
    told = manifest("slices")["val"]
    part = read_slices(shared / "data", "val")
    measured = evaluation.figures_of(part, probabilities(load_classifier()(part.features)))
    assert measured["balanced_accuracy"] == pytest.approx(told["balanced_accuracy"], abs=0.02)
    assert measured["confusion"] == told["confusion"]
