"""What a training writes while it runs: CSV, events for TensorBoard, and lines or a bar on the terminal."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from inference.cnn.training.prepared import Figures

LINE_EVERY_S = 20.0
BAR_EVERY_S = 0.5


@dataclass(frozen=True)
class Moment:
    """One step: how much of the training is done (0..1), mean loss since the last record, learning rate."""

    step: int
    seconds: float
    part: float
    loss: float
    rate: float


class Record(Protocol):
    """Whatever wants to know how a training goes."""

    def record(self, moment: Moment) -> None: ...

    def validated(self, moment: Moment, figures: Figures) -> None: ...


class Csv:
    """`log.csv` and `validation.csv`; rows after the checkpoint that a resumed training starts at are cut."""

    def __init__(self, folder: Path, from_step: int) -> None:
        self.log, self.validation = folder / "log.csv", folder / "validation.csv"
        for path in (self.log, self.validation):
            _cut(path, from_step)

    def record(self, moment: Moment) -> None:
        row = {"loss": f"{moment.loss:.6g}", "rate": f"{moment.rate:.4g}"}
        _append(self.log, {"step": moment.step, "seconds": f"{moment.seconds:.1f}", **row})

    def validated(self, moment: Moment, figures: Figures) -> None:
        row = {name: f"{value:.6g}" for name, value in figures.items()}
        _append(self.validation, {"step": moment.step, "seconds": f"{moment.seconds:.1f}", **row})


def _append(path: Path, row: dict[str, Any]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def _cut(path: Path, from_step: int) -> None:
    if not path.exists():
        return
    header, *rows = path.read_text().splitlines(keepends=True)
    kept = [row for row in rows if row.endswith("\n") and int(row.split(",", 1)[0]) <= from_step]
    path.write_text("".join([header, *kept]))


class TensorBoard:
    """An event file that TensorBoard opens. TensorFlow's own record writer is enough for it, whatever backend
    Keras runs on; the `tensorboard` package is needed to look at the file only."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf
        from tensorflow.core.util import event_pb2

        folder.mkdir(parents=True, exist_ok=True)
        self.event = event_pb2.Event
        path = folder / f"events.out.tfevents.{time.time_ns()}"
        self.writer = tf.io.TFRecordWriter(str(path))
        self._write(self.event(wall_time=time.time(), file_version="brain.Event:2"))

    def record(self, moment: Moment) -> None:
        self._scalars(moment.step, {"loss": moment.loss, "rate": moment.rate})

    def validated(self, moment: Moment, figures: Figures) -> None:
        self._scalars(moment.step, {f"validation/{name}": value for name, value in figures.items()})

    def _scalars(self, step: int, values: dict[str, float]) -> None:
        event = self.event(wall_time=time.time(), step=step)
        for name, value in values.items():
            event.summary.value.add(tag=name, simple_value=value)
        self._write(event)

    def _write(self, event: Any) -> None:
        self.writer.write(event.SerializeToString())
        self.writer.flush()


@dataclass
class Terminal:
    """A bar that redraws itself on a terminal; elsewhere (a log file) one line each 20 seconds."""

    stream: IO[str]
    clock: Callable[[], float] = time.monotonic
    shown: float = field(default=float("-inf"))

    def record(self, moment: Moment) -> None:
        bar = self.stream.isatty()
        if self.clock() - self.shown < (BAR_EVERY_S if bar else LINE_EVERY_S):
            return
        self.shown = self.clock()
        self._write(f"\r{_bar(moment.part)} {_told(moment)}\033[K" if bar else f"{_told(moment)}\n")

    def validated(self, moment: Moment, figures: Figures) -> None:
        told = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        over_the_bar = "\r\033[K" if self.stream.isatty() else ""
        self._write(f"{over_the_bar}validation at step {moment.step}: {told}\n")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def _bar(part: float, width: int = 24) -> str:
    done = min(int(part * width), width)
    return f"[{'=' * done}{' ' * (width - done)}]"


def _told(moment: Moment) -> str:
    left = moment.seconds * (1 - moment.part) / max(moment.part, 1e-6)
    return (
        f"{100 * moment.part:3.0f} %  step {moment.step}  loss {moment.loss:.4f}  rate {moment.rate:.2e}  "
        f"{moment.seconds / 60:.1f} min, {left / 60:.1f} min left"
    )
