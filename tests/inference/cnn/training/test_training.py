"""A training can be repeated, killed, continued, and it says how it went."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference.cnn.training.checkpoints import ResumeError
from inference.cnn.training.prepared import DivergedError
from inference.cnn.training.session import BackendError, train, use_backend
from tests.inference.cnn.training import small

pytestmark = pytest.mark.networks

REPOSITORY = Path(__file__).parents[4]


def trained(out: Path, told=None, **more):
    return train(small.order(out, told or small.config(), **more), small.prepare, io.StringIO())


def losses(out: Path) -> list[tuple[str, str, str]]:
    with (out / "log.csv").open() as stream:
        return [(row["step"], row["loss"], row["rate"]) for row in csv.DictReader(stream)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A training of 40 steps that nothing disturbed."""
    out = tmp_path_factory.mktemp("trainings") / "whole"
    trained(out)
    return out


def test_the_same_seed_gives_the_same_losses(whole, tmp_path):
    trained(tmp_path)

    assert losses(tmp_path) == losses(whole)


def test_another_seed_gives_other_losses(whole, tmp_path):
    trained(tmp_path, small.config(seed=2, steps=10))

    assert losses(tmp_path)[0][1] != losses(whole)[0][1]


def test_a_killed_training_goes_on_as_if_nothing_had_happened(whole, tmp_path):
    command = [sys.executable, "-m", "tests.inference.cnn.training.small", str(tmp_path), "40"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as victim:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("checkpoint-*1[0-9].weights.h5")) and time.monotonic() < deadline:
            time.sleep(0.02)
        victim.send_signal(signal.SIGKILL)
    at = json.loads((tmp_path / "state.json").read_text())["step"]

    state = trained(tmp_path, resume=True)

    assert 9 <= at < 40
    assert (state.step, state.ended) == (40, "whole")
    assert [step for step, _, _ in losses(tmp_path)] == ["10", "20", "30", "40"]
    assert losses(tmp_path)[2:] == losses(whole)[2:]


def test_a_stopped_training_keeps_its_step(tmp_path):
    command = [sys.executable, "-m", "tests.inference.cnn.training.small", str(tmp_path), "4000"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as one:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("checkpoint-*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        one.send_signal(signal.SIGTERM)
        said = one.communicate(timeout=60)[0].decode()

    assert "ended='stopped'" in said
    assert json.loads((tmp_path / "state.json").read_text())["ended"] == "stopped"
    assert not (tmp_path / "small.weights.h5").exists()


def test_the_best_weights_on_validation_patients_are_the_result(whole):
    from inference.cnn.training.session import _set_up

    told = json.loads((whole / "training.json").read_text())
    _set_up(small.config())
    prepared = small.prepare(whole, small.config())
    prepared.model.load_weights(whole / "small.weights.h5")

    assert told["best"] == max(float(row["score"]) for row in rows(whole / "validation.csv"))
    assert prepared.validate(prepared.model)["score"] == pytest.approx(told["best"])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains_with_a_mean_of_the_weights(precision, tmp_path):
    state = trained(tmp_path, small.config(steps=10, precision=precision, keep_average=0.9))

    assert state.best is not None
    assert (tmp_path / "small.weights.h5").is_file()


def test_the_mean_of_the_weights_survives_a_checkpoint(tmp_path):
    import keras
    import numpy as np

    from inference.cnn.training import checkpoints, loop

    trained(tmp_path, small.config(steps=10, keep_average=0.5))
    keras.backend.clear_session()
    found = []
    for _ in range(2):
        model = small.prepare(tmp_path, small.config()).model
        loop.build_optimizer(model, 0.5)
        checkpoints.restored(model, tmp_path)
        plain = model.get_weights()
        with loop.averaged(model, 0.5):
            found.append(model.get_weights()[0])
        assert not np.allclose(plain[0], found[-1])
        assert np.array_equal(plain[0], model.get_weights()[0])
    assert np.array_equal(*found)


def test_a_training_without_progress_ends_early(tmp_path):
    told = small.config(steps=400, rate=1e-9, weight_decay=0.0, validate_every=5, patience=3)

    state = trained(tmp_path, told)

    assert (state.ended, state.step) == ("patience", 20)


def test_tensorboard_can_read_the_course(whole):
    import tensorflow as tf

    (path,) = (whole / "events").iterdir()
    events = list(tf.compat.v1.train.summary_iterator(str(path)))
    seen = {(event.step, value.tag) for event in events for value in event.summary.value}

    assert {(10, "loss"), (10, "rate"), (40, "validation/score")} <= seen


def test_a_folder_with_a_training_is_not_overwritten(whole):
    with pytest.raises(ResumeError, match="--resume"):
        trained(whole)


def test_a_training_that_has_ended_is_left_as_it_is(whole):
    before = (whole / "log.csv").read_text()

    assert trained(whole, resume=True).step == 40
    assert (whole / "log.csv").read_text() == before


def test_an_error_in_the_data_ends_the_training(tmp_path):
    import dataclasses

    def broken(rng):
        raise OSError("shard 3 is damaged")

    def prepare(data, told, fold=None):
        return dataclasses.replace(small.prepare(data, told), make=broken)

    with pytest.raises(OSError, match="shard 3"):
        train(small.order(tmp_path, small.config()), prepare, io.StringIO())


def test_a_loss_that_is_no_number_ends_the_training(tmp_path):
    def prepare(data, told, fold=None):
        prepared = small.prepare(data, told)
        prepared.model.layers[-1].bias.assign([float("nan")] * 8)
        return prepared

    with pytest.raises(DivergedError, match="lower rate"):
        train(small.order(tmp_path, small.config()), prepare, io.StringIO())


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_backend_that_is_not_there_is_named(name, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda wanted: None)

    with pytest.raises(BackendError, match=f"'{name}' is not installed"):
        use_backend(name)
