"""The classifier of single pictures in Keras 3; imported only where it is built or loaded."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from inference.cnn.slices.dataset import CLASSES
from inference.cnn.slices.features import FEATURES

HEADS = 8
CUTS = 48
STEPS = 12
WIDTH = 64


@keras.saving.register_keras_serializable("lungportal")
class Places(layers.Layer):
    """Each number as its place among the training pictures, and as steps of a staircase.

    `cuts` (features, CUTS) holds quantiles of the training pictures; it is set from them, not trained. The
    steps let a small network cut a feature at a value, as a decision tree does.
    """

    def build(self, shape: Any) -> None:
        self.cuts = self.add_weight(
            shape=(shape[-1], CUTS), initializer="zeros", trainable=False, name="cuts"
        )

    def call(self, x: Any) -> Any:
        low, high = self.cuts[:, :-1], self.cuts[:, 1:]
        steps = keras.ops.clip((x[..., None] - low) / (high - low + 1e-4), 0.0, 1.0)
        place = 4 * keras.ops.mean(steps, axis=-1) - 2
        stairs = steps[..., CUTS // STEPS // 2 :: CUTS // STEPS] - 0.5
        return keras.ops.concatenate([place, keras.ops.reshape(stairs, (-1, FEATURES * STEPS))], axis=-1)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], FEATURES * (1 + STEPS))


def slices(heads: int = HEADS) -> keras.Model:
    """(heads, classes) logits of a picture's features: small networks that differ in their start alone."""
    given = layers.Input((FEATURES,))
    places = Places(name="places")(given)
    outs = []
    for _ in range(heads):
        x = layers.Dropout(0.1)(places)
        x = layers.Dense(WIDTH, activation="relu")(x)
        x = layers.Dense(WIDTH, activation="relu")(x)
        outs.append(layers.Reshape((1, len(CLASSES)))(layers.Dense(len(CLASSES))(x)))
    joined = layers.Concatenate(axis=1, dtype="float32", name="heads")(outs)
    return keras.Model(given, joined, name="slices")
