"""Cross-validation by patient, and a search for settings that can be interrupted."""

from __future__ import annotations

import dataclasses
import io
import json
import tomllib

import pytest

from inference.cnn.training.config import ConfigError, config_for, config_from
from inference.cnn.training.crossval import cross_validate, mean_of
from inference.cnn.training.prepared import Fold
from inference.cnn.training.tuning import toml, tune
from tests.inference.cnn.training import small


@pytest.mark.networks
def test_each_patient_is_validated_in_one_fold(tmp_path):
    order = small.order(tmp_path, small.config(steps=10))

    told = cross_validate(order, 3, small.prepare, io.StringIO())

    counted = [fold["figures"]["patients"] for fold in told["folds"]]
    assert sum(counted) == 60
    assert told["mean"]["patients"]["mean"] == pytest.approx(20)
    assert json.loads((tmp_path / "folds.json").read_text()) == told


@pytest.mark.networks
def test_one_fold_alone_is_marked_as_incomplete(tmp_path):
    told = cross_validate(
        small.order(tmp_path, small.config(steps=5)), 3, small.prepare, io.StringIO(), only=1
    )

    assert [fold["fold"] for fold in told["folds"]] == [1]
    assert told["complete"] == 1


@pytest.mark.networks
def test_a_task_without_figures_is_judged_by_its_loss_on_the_patients_kept_aside(tmp_path):
    asked = []

    def prepare(data, told, fold=None):
        asked.append(fold)
        return dataclasses.replace(small.prepare(data, told, fold), validate=None)

    order = small.order(tmp_path, small.config(steps=5))

    told = cross_validate(order, 3, prepare, io.StringIO(), only=1)

    assert asked == [Fold(1, 3), Fold(1, 3, turned=True)]
    assert told["mean"]["score"]["mean"] == -told["mean"]["loss"]["mean"]


def test_a_turned_fold_draws_from_the_patients_kept_aside():
    patients = [f"patient-{n}" for n in range(50)]

    assert {p for p in patients if Fold(1, 3, turned=True).keeps(p) == "train"} == {
        p for p in patients if Fold(1, 3).keeps(p) == "val"
    }


def test_the_interval_of_folds_is_students():
    found = mean_of([{"score": 0.8}, {"score": 0.9}, {"score": 1.0}])["score"]

    assert found["mean"] == pytest.approx(0.9)
    assert found["sd"] == pytest.approx(0.1)
    assert found["high"] - found["mean"] == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)


def test_folds_divide_the_patients():
    patients = [f"LIDC-IDRI-{n:04d}" for n in range(500)]

    parts = [{p for p in patients if Fold(k, 5).keeps(p) == "val"} for k in range(5)]

    assert set.union(*parts) == set(patients)
    assert sum(map(len, parts)) == len(patients)
    assert min(map(len, parts)) > 70


@pytest.mark.parametrize(("number", "of"), [(5, 5), (-1, 5), (0, 1)])
def test_a_fold_that_does_not_exist_is_refused(number, of):
    with pytest.raises(ValueError, match="no fold"):
        Fold(number, of)


@pytest.mark.networks
def test_a_search_goes_on_where_it_was_left(tmp_path):
    order = small.order(tmp_path, small.config(steps=10))
    told = {"steps": 10, "batch": 8, "rate": 0.01, "validate_every": 5}
    told["tune"] = {"rate": {"low": 0.001, "high": 0.1, "log": True}, "augmentation": {"noise": [0.1, 0.5]}}

    tune(order, told, 2, small.prepare, io.StringIO())
    said = io.StringIO()
    best = tune(order, told, 3, small.prepare, said)

    trials = [line for line in said.getvalue().splitlines() if line.startswith("Trial")]
    assert [line.split(":")[0] for line in trials] == ["Trial 2"]
    found = tomllib.loads(best.read_text())
    assert 0.001 <= found["rate"] <= 0.1
    assert config_from(found).augmentation["noise"] in (0.1, 0.5)


def test_a_search_without_ranges_says_so(tmp_path):
    with pytest.raises(ConfigError, match="nothing to search"):
        tune(small.order(tmp_path, small.config()), {"steps": 5}, 2, small.prepare, io.StringIO())


def test_settings_written_as_toml_read_the_same():
    told = {"rate": 0.0015, "batch": 8, "precision": "float32", "augmentation": {"noise": 0.25}}

    assert tomllib.loads(toml(told)) == told


def test_a_file_wins_over_the_defaults_key_by_key(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("batch = 4\n[augmentation]\nflip = 1\n")

    config = config_for("outline", path, seed=7, minutes=None)

    assert (config.batch, config.seed, config.augmentation["flip"]) == (4, 7, 1.0)
    assert config.precision == config_for("outline").precision


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("epochs = 3", "no setting 'epochs'; there are: seed, minutes"),
        ("batch = 'many'", "must be a whole number"),
        ("batch = true", "must be a whole number"),
        ("rate = -1.0", "rate above 0"),
        ("precision = 'float8'", "mixed_bfloat16"),
        ("[augmentation]\nblur = 0.1", "no augmentation 'blur'; there are: flip"),
        ("[augmentation]\nnoise = 1.5", "from 0 to 1"),
        ("augmentation = 1", "is a table"),
        ("[files]\nhard = 3", "must be a text"),
        ("keep_average = 1.0", "below 1"),
        ("minutes = 0", "nothing would be trained"),
        ("batch = ", "not valid TOML"),
    ],
)
def test_a_wrong_setting_is_explained(text, complaint, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(text + "\n")

    with pytest.raises(ConfigError, match=complaint):
        config_for("outline", path)


@pytest.mark.parametrize("network", ["candidates", "reduction", "outline", "malignancy"])
def test_each_network_has_sound_defaults(network):
    config = config_for(network)

    assert config.minutes > 0
    assert config.batch >= 8
