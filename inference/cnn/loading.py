"""Building a network and putting its weights in; the only reading module that imports TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from inference.cnn import architectures, planar
from inference.cnn.engine import Precision
from inference.cnn.features import FEATURES
from inference.cnn.malignancy import MEMBERS, OUTPUTS
from inference.cnn.patch_classifier import PATCH
from inference.cnn.preprocessing import (
    MALIGNANCY_CHANNELS,
    MALIGNANCY_WINDOW,
    OUTLINE_CHANNELS,
    OUTLINE_WINDOW,
    REDUCTION_PATCH,
)
from inference.cnn.slices import architecture as single

BATCHES = {
    "candidates": 1,
    "reduction": 16,
    "seeker": 32,
    "outline": 32,
    "malignancy": 16,
    "slices": 32,
    "patches": 64,
}

BUILDERS: dict[str, Callable[[], keras.Model]] = {
    "candidates": architectures.candidates,
    "reduction": lambda: architectures.reduction(REDUCTION_PATCH),
    "seeker": lambda: planar.outline(OUTLINE_WINDOW, OUTLINE_CHANNELS),
    "outline": lambda: planar.outline(OUTLINE_WINDOW, OUTLINE_CHANNELS),
    "malignancy": lambda: planar.malignancy(
        (MALIGNANCY_WINDOW, MALIGNANCY_WINDOW, MALIGNANCY_CHANNELS), FEATURES, MEMBERS, OUTPUTS
    ),
    "patches": lambda: planar.patches(PATCH),
    "slices": single.slices,
}


POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def build(task: str, precision: Precision = "float32") -> keras.Model:
    """The architecture, without touching the process's own precision policy; weights are float32 always."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        return BUILDERS[task]()
    finally:
        keras.config.set_dtype_policy(before)


def graph(task: str, path: str, precision: Precision = "float32") -> Any:
    """The network as a traced function; XLA stays off, it slows 3D convolutions on CPUs.

    Inputs of unknown size (candidates) are traced once for all sizes.
    """
    model = build(task, precision)
    model.load_weights(path)
    given = [tf.TensorSpec(x.shape, tf.float32) for x in model.inputs]
    signature = [given[0] if len(given) == 1 else given]
    return tf.function(lambda x: model(x, training=False), input_signature=signature, jit_compile=False)
