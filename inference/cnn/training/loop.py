"""The training loop that all networks share: batches made beside it, cosine rate, weights kept by time."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

Batch = tuple[Any, Any]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: minutes of wall clock, samples per step, peak rate, seed."""

    minutes: float
    batch: int
    peak_rate: float
    seed: int


def prefetched(
    make: Callable[[np.random.Generator], Batch], seed: int, stop: threading.Event
) -> queue.Queue[Batch]:
    """Batches from one thread, in the order of one seed."""
    ready: queue.Queue[Batch] = queue.Queue(maxsize=8)
    rng = np.random.default_rng(seed)

    def produce() -> None:
        while not stop.is_set():
            batch = make(rng)
            while not stop.is_set():
                try:
                    ready.put(batch, timeout=0.5)
                    break
                except queue.Full:
                    continue

    threading.Thread(target=produce, daemon=True).start()
    return ready


def rate_at(part: float, peak: float) -> float:
    """Warm-up over the first 3 %, then a cosine down to a fiftieth."""
    if part < 0.03:
        return peak * (0.1 + 0.9 * part / 0.03)
    return peak * (0.02 + 0.49 * (1 + float(np.cos(np.pi * min(part, 1.0)))))


def train(
    model: keras.Model,
    make: Callable[[np.random.Generator], Batch],
    schedule: Schedule,
    out: Path,
    log: Callable[[str], None],
) -> dict[str, float]:
    """Train until the minutes are up; weights are written each two minutes and at the end."""
    stop = threading.Event()
    ready = prefetched(make, schedule.seed, stop)
    start = saved = shown = time.monotonic()
    losses: list[float] = []
    steps = 0
    while (part := (time.monotonic() - start) / (schedule.minutes * 60)) < 1:
        model.optimizer.learning_rate.assign(rate_at(part, schedule.peak_rate))
        x, y = ready.get()
        model.reset_metrics()  # else Keras reports the mean of all batches so far
        losses.append(float(model.train_on_batch(x, y)))
        steps += 1
        now = time.monotonic()
        if now - shown > 20:
            log(f"{now - start:6.0f} s step {steps} loss {np.mean(losses[-200:]):.4f}")
            shown = now
        if now - saved > 120:
            model.save_weights(out)
            saved = now
    stop.set()
    model.save_weights(out)
    figures = {"steps": steps, "samples": steps * schedule.batch, "loss": float(np.mean(losses[-300:]))}
    out.with_suffix(".log.json").write_text(json.dumps(figures))
    return figures
