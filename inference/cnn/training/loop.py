"""The training loop that all networks share; neutral as to the backend that Keras runs on."""

from __future__ import annotations

import dataclasses
import math
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from inference.cnn.training import checkpoints
from inference.cnn.training.checkpoints import State
from inference.cnn.training.config import Config
from inference.cnn.training.prepared import SCORE, Batch, DivergedError, Figures, Prepared
from inference.cnn.training.records import Moment, Record

AHEAD = 8
RECORD_EVERY = 10
WARM_UP = 0.03
BEST = "best.weights.h5"


def batches(make: Callable[[np.random.Generator], Batch], seed: int, first: int) -> Iterator[Batch]:
    """Batches from step `first` on, made a few steps ahead in one thread.

    Each has a generator of its own from (seed, step), so a resumed training sees those that it would have
    seen. What goes wrong in the thread is raised here.
    """
    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1, "batches") as pool:
        try:
            for step in _counted(first):
                waiting.append(pool.submit(make, np.random.default_rng((seed, step))))
                if len(waiting) == AHEAD:
                    yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _counted(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1


def rate_at(part: float, peak: float) -> float:
    """Learning rate when `part` (0..1) is done: linear warm-up, then a cosine down to a fiftieth."""
    if part < WARM_UP:
        return peak * (0.1 + 0.9 * part / WARM_UP)
    return peak * (0.02 + 0.49 * (1 + math.cos(math.pi * min(part, 1.0))))


def done(config: Config, state: State) -> float:
    """Share of the training that is done: of the steps, or of the minutes."""
    return state.step / config.steps if config.steps else state.seconds / (60 * config.minutes)


def build_optimizer(model: keras.Model, average: float) -> None:
    """Make the optimizer's variables, with a running mean of the weights where `average` is above 0."""
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if average:
        inner.use_ema, inner.ema_momentum, inner.ema_overwrite_frequency = True, average, None
    model.optimizer.build(model.trainable_variables)


@contextmanager
def averaged(model: keras.Model, average: float) -> Iterator[None]:
    """Within the block the model holds the running mean of its weights, if one is kept."""
    if not average:
        yield
        return
    before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, before, strict=True):
            variable.assign(value)


def save_plain(model: keras.Model, path: Path) -> None:
    """The weights alone, without the optimizer's state."""
    keras.Model(model.inputs, model.outputs).save_weights(path, overwrite=True)


@contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """Set by the first Ctrl-C or SIGTERM, so that a step ends and a checkpoint is written."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    watched = (signal.SIGINT, signal.SIGTERM)

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = [signal.signal(one, ask) for one in watched]
    try:
        yield asked
    finally:
        for one, handler in zip(watched, before, strict=True):
            signal.signal(one, handler)


class Training:
    """One model on its way from `state` to the end of its steps or minutes."""

    def __init__(
        self, prepared: Prepared, config: Config, folder: Path, records: list[Record], state: State
    ) -> None:
        self.prepared, self.config, self.folder, self.records = prepared, config, folder, records
        self.state, self.losses = state, list[float]()
        self.started = time.monotonic() - state.seconds
        self.saved = time.monotonic()

    def run(self) -> State:
        """Train; the last state has `ended`: "whole", "patience" or "stopped"."""
        with stop_requested() as stop:
            for x, y in batches(self.prepared.make, self.config.seed, self.state.step):
                if ended := self._end(stop):
                    break
                self._step(x, y)
        return self._finish(ended)

    def _end(self, stop: threading.Event) -> str:
        if done(self.config, self.state) >= 1:
            return "whole"
        if self.config.patience and self.state.stale >= self.config.patience:
            return "patience"
        return "stopped" if stop.is_set() else ""

    def _step(self, x: Any, y: Any) -> None:
        model, rate = self.prepared.model, rate_at(done(self.config, self.state), self.config.rate)
        model.optimizer.learning_rate = rate
        model.reset_metrics()  # else Keras reports the mean of all batches so far
        loss = float(model.train_on_batch(x, y, return_dict=True)["loss"])
        step = self.state.step + 1
        if not math.isfinite(loss):
            raise DivergedError(f"The loss is {loss} at step {step}: try a lower rate, or float32 precision.")
        self.losses.append(loss)
        self.state = dataclasses.replace(self.state, step=step, seconds=time.monotonic() - self.started)
        if step % RECORD_EVERY == 0:
            for record in self.records:
                record.record(self._moment(rate))
            self.losses.clear()
        if self.config.validate_every and step % self.config.validate_every == 0:
            self._validate()
        if time.monotonic() - self.saved > self.config.checkpoint_every_s:
            self._checkpoint()

    def _moment(self, rate: float) -> Moment:
        loss = float(np.mean(self.losses)) if self.losses else math.nan
        return Moment(self.state.step, self.state.seconds, done(self.config, self.state), loss, rate)

    def _checkpoint(self) -> None:
        checkpoints.save(self.prepared.model, self.state, self.folder)
        self.saved = time.monotonic()

    def _validate(self) -> None:
        """Figures on the patients kept aside; the best weights are kept."""
        if self.prepared.validate is None:
            return
        model = self.prepared.model
        with averaged(model, self.config.keep_average):
            figures = self.prepared.validate(model)
            better = self.state.best is None or figures[SCORE] > self.state.best
            if better:
                save_plain(model, self.folder / BEST)
        self._remember(figures, better)
        for record in self.records:
            record.validated(self._moment(0.0), figures)

    def _remember(self, figures: Figures, better: bool) -> None:
        state = dataclasses.replace(self.state, stale=0 if better else self.state.stale + 1)
        if better:
            state = dataclasses.replace(
                state, best=figures[SCORE], best_step=state.step, best_figures=dict(figures)
            )
        self.state = state

    def _finish(self, ended: str) -> State:
        """Validate what was not validated yet, unless stopped, and write the last checkpoint."""
        every = self.config.validate_every
        if ended == "whole" and not (every and self.state.step % every == 0):
            self._validate()
        self.state = dataclasses.replace(self.state, ended=ended)
        self._checkpoint()
        return self.state
