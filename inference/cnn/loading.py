"""Building a network and putting its weights in; the only reading module that imports TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from inference.cnn import architectures, planar
from inference.cnn.features import FEATURES
from inference.cnn.preprocessing import (
    CANDIDATES_TILE,
    MALIGNANCY_PATCH,
    OUTLINE_CHANNELS,
    OUTLINE_WINDOW,
    REDUCTION_PATCH,
)
from inference.cnn.slices import architecture as single

BATCHES = {"candidates": 1, "reduction": 16, "outline": 32, "malignancy": 16, "slices": 32}

BUILDERS: dict[str, Callable[[], keras.Model]] = {
    "candidates": lambda: architectures.candidates(CANDIDATES_TILE),
    "reduction": lambda: architectures.reduction(REDUCTION_PATCH),
    "outline": lambda: planar.outline(OUTLINE_WINDOW, OUTLINE_CHANNELS),
    "malignancy": lambda: architectures.malignancy(MALIGNANCY_PATCH, FEATURES),
    "slices": single.slices,
}


def build(task: str) -> keras.Model:
    """The architecture in float32, without touching the process's own precision policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return BUILDERS[task]()
    finally:
        keras.config.set_dtype_policy(before)


def graph(task: str, path: str) -> Any:
    """The network as a traced function; XLA stays off, it slows 3D convolutions on CPUs."""
    model = build(task)
    model.load_weights(path)
    return tf.function(lambda x: model(x, training=False), jit_compile=False, reduce_retracing=True)
