"""A task small enough for a test, which of eight numbers is the largest, and a program that trains it.

`python -m tests.inference.cnn.training.small OUT STEPS [--resume]`
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from inference.cnn.training.config import Config
from inference.cnn.training.prepared import Fold, Prepared
from inference.cnn.training.session import Order, train

NETWORK = "small"


def config(**given) -> Config:
    told = {"steps": 40, "batch": 16, "rate": 0.01, "validate_every": 10, "checkpoint_every_s": 0.0}
    return Config(**(told | given))


def patients(fold: Fold | None, part: str) -> list[str]:
    everyone = [f"patient-{number}" for number in range(60)]
    return [one for one in everyone if (fold or Fold(0, 3)).keeps(one) == part]


def prepare(data: Path, told: Config, fold: Fold | None = None, *, pause_s: float = 0.0) -> Prepared:
    import keras
    import numpy as np

    image = keras.layers.Input((8,))
    x = keras.layers.Dropout(0.1)(keras.layers.Dense(16, activation="relu")(image))
    model = keras.Model(image, keras.layers.Dense(8, dtype="float32")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.AdamW(told.rate, weight_decay=told.weight_decay)
    model.compile(optimizer, loss, jit_compile=False)
    aside = np.random.default_rng(len(patients(fold, "val"))).random((200, 8), np.float32)

    def make(rng):
        time.sleep(pause_s)
        x = rng.random((told.batch, 8), np.float32)
        return x, x.argmax(1)

    def validate(trained):
        hits = np.asarray(trained.predict_on_batch(aside)).argmax(1) == aside.argmax(1)
        return {"score": float(hits.mean()), "patients": float(len(patients(fold, "val")))}

    return Prepared(model, make, validate)


def slow(data: Path, told: Config, fold: Fold | None = None) -> Prepared:
    return prepare(data, told, fold, pause_s=0.05)


def order(out: Path, told: Config, **more) -> Order:
    return Order(NETWORK, out, out, told, **more)


if __name__ == "__main__":
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    given = order(folder, config(steps=steps), resume="--resume" in sys.argv)
    sys.stdout.write(f"{train(given, slow, sys.stdout)}\n")
