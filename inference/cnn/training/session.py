"""One training from a data folder to a weights file, in a folder that holds all that is known of it.

`training.json` has the settings and how it ended, `log.csv` and `validation.csv` the course, `events/` the
same for TensorBoard, `state.json` with `checkpoint-*.weights.h5` what a resumed training needs, and
`NETWORK.weights.h5` the result: the best weights on the validation patients, or the last ones where the task
has no such figures.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from inference.cnn.training import checkpoints
from inference.cnn.training.checkpoints import ResumeError, State
from inference.cnn.training.config import Config, config_from
from inference.cnn.training.prepared import SCORE, Fold, Prepared
from inference.cnn.training.records import Csv, Record, TensorBoard, Terminal

SUMMARY = "training.json"
EVENTS = "events"
ASIDE_BATCHES = 12
BACKENDS = ("tensorflow", "torch", "jax")
Prepare = Callable[[Path, Config, Fold | None], Prepared]


class BackendError(RuntimeError):
    """The wanted backend of Keras cannot be used here."""


@dataclass(frozen=True)
class Order:
    """What to train, on which data, and where everything goes; `minutes` may lengthen a resumed training."""

    network: str
    data: Path
    out: Path
    config: Config
    fold: Fold | None = None
    start: Path | None = None
    resume: bool = False
    minutes: float | None = None


def use_backend(name: str) -> None:
    """Choose what Keras runs on; must come before Keras is imported.

    Raises
    ------
    BackendError : it is not installed, or Keras runs on another one already.
    """
    if importlib.util.find_spec(name) is None:
        raise BackendError(
            f"The backend {name!r} is not installed in this environment. "
            f"Install it beside Keras (https://keras.io/getting_started), or leave --backend out."
        )
    running = sys.modules.get("keras")
    if running is not None and running.backend.backend() != name:
        raise BackendError(f"Keras runs on {running.backend.backend()!r} in this process already.")
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # lines of TensorFlow's start would hide the progress


def preparer(network: str) -> Prepare:
    """The function that makes model and batches of a network; imports Keras."""
    from inference.cnn.training import tasks

    if network == "slices":
        return importlib.import_module("inference.cnn.slices.training").prepare
    if network not in tasks.TASKS:
        raise ValueError(f"The network {network!r} has no training; there are: {', '.join(tasks.TASKS)}.")
    return tasks.TASKS[network]


def train(order: Order, prepare: Prepare, stream: IO[str], more: Sequence[Record] = ()) -> State:
    """Train one network; returns where it ended.

    Raises
    ------
    ResumeError : the folder holds another training, or holds one and `resume` was not asked for.
    """
    from inference.cnn.training import loop

    config = _settled(order)
    known = checkpoints.known(order.out)
    if known.ended == "patience" or (known.step and loop.done(config, known) >= 1):
        stream.write(
            f"{order.out} holds a training that ended at step {known.step}: nothing is left to do.\n"
        )
        return known
    _set_up(config)
    prepared = _with_figures(prepare(order.data, config, order.fold), order, config, prepare)
    loop.build_optimizer(prepared.model, config.keep_average)
    if order.start is not None and not (order.out / checkpoints.STATE).is_file():
        prepared.model.load_weights(order.start)
    state = checkpoints.restored(prepared.model, order.out)
    if state.step:
        stream.write(f"Going on at step {state.step}, after {state.seconds / 60:.1f} minutes.\n")
    if prepared.validate is None:
        stream.write("This task has no figures on validation patients: the last weights are the result.\n")
    records: list[Record] = [
        Csv(order.out, state.step),
        TensorBoard(order.out / EVENTS),
        Terminal(stream),
        *more,
    ]
    state = loop.Training(prepared, config, order.out, records, state).run()
    _write_result(order, prepared, config, state)
    return state


def _settled(order: Order) -> Config:
    """The configuration that holds: a resumed training keeps its own, but may be given more time."""
    order.out.mkdir(parents=True, exist_ok=True)
    path = order.out / SUMMARY
    if not path.is_file():
        checkpoints.write_json(path, _told(order, order.config))
        return order.config
    if not order.resume:
        raise ResumeError(f"{order.out} holds a training already: --resume goes on with it, or name another.")
    told = json.loads(path.read_text())
    if told["network"] != order.network or told["fold"] != _fold(order):
        raise ResumeError(f"{order.out} holds a training of {told['network']!r}, fold {told['fold']}.")
    kept = config_from(told["config"])
    return dataclasses.replace(kept, minutes=order.minutes, steps=0) if order.minutes else kept


def _fold(order: Order) -> list[int] | None:
    return [order.fold.number, order.fold.of] if order.fold else None


def _told(order: Order, config: Config) -> dict[str, Any]:
    return {
        "network": order.network,
        "data": str(order.data),
        "fold": _fold(order),
        "start": str(order.start) if order.start else None,
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "config": dataclasses.asdict(config),
    }


def _set_up(config: Config) -> None:
    """Seeds, precision and threads of this process."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    if config.threads:
        _limit_threads(keras.backend.backend(), config.threads)


def _with_figures(prepared: Prepared, order: Order, config: Config, prepare: Prepare) -> Prepared:
    """In a fold, a task without figures of its own is judged by its loss on the patients kept aside."""
    if prepared.validate is not None or order.fold is None:
        return prepared
    aside = prepare(order.data, config, dataclasses.replace(order.fold, turned=True))
    drawn = [aside.make(np.random.default_rng((config.seed, 1, i))) for i in range(ASIDE_BATCHES)]

    def loss_aside(model: Any) -> dict[str, float]:
        losses = []
        for x, y in drawn:
            model.reset_metrics()
            losses.append(float(model.test_on_batch(x, y, return_dict=True)["loss"]))
        loss = float(np.mean(losses))
        return {SCORE: -loss, "loss": loss}

    return dataclasses.replace(prepared, validate=loss_aside)


def _limit_threads(backend: str, count: int) -> None:
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(count)
    elif backend == "torch":
        importlib.import_module("torch").set_num_threads(count)


def _write_result(order: Order, prepared: Prepared, config: Config, state: State) -> None:
    from inference.cnn.training import loop

    if state.ended == "stopped":
        return
    result = order.out / f"{order.network}.weights.h5"
    best = order.out / loop.BEST
    if best.is_file():
        shutil.copyfile(best, result)
    else:
        with loop.averaged(prepared.model, config.keep_average):
            loop.save_plain(prepared.model, result)
    ended = {"steps": state.step, "samples": state.step * config.batch, "seconds": round(state.seconds, 1)}
    figures = {"best": state.best, "best_step": state.best_step, "figures": state.best_figures}
    told = {**_told(order, config), "ended": state.ended, **ended, **figures}
    checkpoints.write_json(order.out / SUMMARY, told)
