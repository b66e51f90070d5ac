"""Networks on slices in Keras 3: the 2.5D outline and the 2D look at a candidate; imported only to build
them."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def conv(x: Any, filters: int, size: int = 3, stride: int = 1) -> Any:
    x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)(x)
    return layers.Activation("relu")(layers.BatchNormalization(momentum=0.97)(x))


def residual(x: Any, filters: int) -> Any:
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(conv(x, filters))
    y = layers.BatchNormalization(momentum=0.97)(y)
    if x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
    return layers.Activation("relu")(layers.Add()([x, y]))


def _up(x: Any, skip: Any, filters: int) -> Any:
    x = layers.UpSampling2D(2, interpolation="bilinear")(conv(x, filters, 1))
    return residual(layers.Concatenate()([x, skip]), filters)


def outline(window: int, channels: int, base: int = 16) -> keras.Model:
    """Logit per pixel of the slab's middle slice: a residual U-Net with four halvings."""
    image = layers.Input((window, window, channels))
    skips = [residual(conv(image, base), base)]
    for factor in (2, 4, 6, 8):
        skips.append(residual(conv(skips[-1], factor * base, 3, 2), factor * base))
    y = skips[-1]
    for skip, factor in zip(skips[-2::-1], (6, 4, 2, 1), strict=True):
        y = _up(y, skip, factor * base)
    return keras.Model(image, layers.Conv2D(1, 1, dtype="float32", name="pixels")(y), name="outline")


def malignancy_member(image: Any, numbers: Any, outputs: int, base: int = 24) -> Any:
    """Logits (n, outputs): rating first, traits after it; pixels and numbers meet before the last layers."""
    x = residual(conv(image, base, 3, 2), base)
    x = residual(conv(x, 2 * base, 3, 2), 2 * base)
    x = residual(conv(x, 3 * base, 3, 2), 3 * base)
    pooled = [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)]
    x = layers.Dropout(0.5)(layers.Dense(32, activation="relu")(layers.Concatenate()(pooled)))
    known = layers.BatchNormalization(scale=False, center=False)(numbers)
    f = layers.Dropout(0.3)(layers.Dense(24, activation="relu")(known))
    y = layers.Dropout(0.2)(layers.Dense(24, activation="relu")(layers.Concatenate()([x, f])))
    return layers.Dense(outputs, dtype="float32")(layers.Concatenate()([y, f, known]))


def _products(numbers: Any) -> Any:
    """The numbers, normalised and cut at 4 standard deviations, with the products of each two of them."""
    known = layers.BatchNormalization(scale=False, center=False, name="usual")(numbers)
    known = ops.clip(known, -4.0, 4.0)
    pairs = ops.expand_dims(known, -1) * ops.expand_dims(known, -2)
    return layers.Concatenate()([known, layers.Flatten()(pairs)])


def malignancy(shape: tuple[int, int, int], numbers: int, members: int, outputs: int) -> keras.Model:
    """(n, (members + 1) * outputs) logits: members that see pixels and numbers, and one of the numbers alone.

    The members share nothing but their inputs. The last is a logistic of the numbers and their products.
    """
    image, shown = layers.Input(shape), layers.Input((numbers,))
    outs = [malignancy_member(image, shown, outputs) for _ in range(members)]
    outs.append(layers.Dense(outputs, dtype="float32", name="alone")(_products(shown)))
    return keras.Model([image, shown], layers.Concatenate(dtype="float32")(outs), name="malignancy")


def patches(size: int, members: int = 3, base: int = 20) -> keras.Model:
    """(n, members) logits that the middle of a patch is a nodule."""
    image = layers.Input((size, size, 1))
    return keras.Model(
        image, layers.Concatenate(dtype="float32")([_look(image, base) for _ in range(members)])
    )


def _look(image: Any, base: int) -> Any:
    x = residual(conv(image, base), base)
    for factor in (2, 3, 4):
        x = residual(conv(x, factor * base, 3, 2), factor * base)
    middle = layers.Flatten()(layers.Cropping2D(2)(conv(x, 16, 1)))
    pooled = [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x), middle]
    x = layers.Dropout(0.4)(
        layers.Dense(48, activation="relu")(layers.Dropout(0.2)(layers.Concatenate()(pooled)))
    )
    return layers.Dense(1, dtype="float32")(x)
