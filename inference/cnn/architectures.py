"""The networks' architectures in Keras 3; imported only where a network is built or loaded."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def _conv(x: Any, filters: int, stride: int = 1, size: int = 3) -> Any:
    x = layers.Conv3D(filters, size, stride, padding="same", use_bias=False)(x)
    return layers.Activation("relu")(layers.BatchNormalization(momentum=0.95)(x))


def _residual(x: Any, filters: int) -> Any:
    y = _conv(x, filters)
    y = layers.Conv3D(filters, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization(momentum=0.95)(y)
    return layers.Activation("relu")(layers.Add()([x, y]))


def _add_up(x: Any, skip: Any, filters: int) -> Any:
    x = layers.UpSampling3D(2)(_conv(x, filters, size=1))
    return layers.Add()([x, _conv(skip, filters, size=1)])


def _rare(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Bias of the five output channels: a centre is rare (logit -4), a diameter is near 8 mm."""
    return keras.ops.convert_to_tensor([-4.0, 0.0, 0.0, 0.0, 2.0], dtype)


def _trunk(image: Any) -> tuple[Any, Any]:
    """Features at stride 8, and at stride 4 with their surroundings taken in."""
    x2 = _conv(_conv(image, 16, 2), 16)
    x4 = _residual(_residual(_conv(x2, 32, 2), 32), 32)
    x8 = _residual(_residual(_conv(x4, 64, 2), 64), 64)
    x16 = _residual(_conv(x8, 96, 2), 96)
    y8 = _residual(_add_up(x16, x8, 64), 64)
    y4 = _residual(_add_up(y8, x4, 32), 32)
    return x8, _conv(y4, 48, size=1)


def candidates(tile: tuple[int | None, ...] = (None, None, None)) -> keras.Model:
    """Heat map at stride 4 with offset (3, in cells) and log diameter: five channels, logits first."""
    image = layers.Input((*tile, 1))
    y4 = _trunk(image)[1]
    out = layers.Conv3D(5, 1, dtype="float32", name="map", bias_initializer=_rare)(y4)
    return keras.Model(image, out, name="candidates")


def reduction(patch: tuple[int, int, int]) -> keras.Model:
    """Logit that the middle of the patch is a nodule; the trunk is that of the candidate network."""
    image = layers.Input((*patch, 1))
    x8, y4 = _trunk(image)
    y4 = layers.Cropping3D(patch[0] // 8 - 2)(y4)
    near = layers.Flatten()(_conv(y4, 16, size=1))
    wide = layers.Flatten()(_conv(x8, 8, size=1))
    x = layers.Dense(64, activation="relu")(layers.Concatenate()([near, wide]))
    return keras.Model(image, layers.Dense(1, dtype="float32")(layers.Dropout(0.2)(x)), name="reduction")


def share_trunk(source: keras.Model, target: keras.Model) -> None:
    """Give `target` the trunk weights of `source`: both build their trunks first and alike."""
    weighted = [[layer for layer in m.layers if layer.weights] for m in (source, target)]
    for one, other in zip(*weighted, strict=False):
        if [w.shape for w in one.weights] != [w.shape for w in other.weights] or one.name == "map":
            break
        other.set_weights(one.get_weights())
