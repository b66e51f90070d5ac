"""Networks on slices in Keras 3: the 2.5D outline and the 2D look at a candidate; imported only to build
them."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers, ops

from inference.cnn.preprocessing import MALIGNANCY_PIXEL_MM, MALIGNANCY_SLICES, USUAL_PIXEL_MM


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


def _halved(image: Any, base: int) -> list[Any]:
    """The maps of the encoder: the image's size, then four halvings."""
    maps = [residual(conv(image, base), base)]
    for factor in (2, 4, 6, 8):
        maps.append(residual(conv(maps[-1], factor * base, 3, 2), factor * base))
    return maps


def outline(window: int, channels: int, base: int = 16) -> keras.Model:
    """Logit per pixel of the slab's middle slice: a residual U-Net with four halvings."""
    image = layers.Input((window, window, channels))
    skips = _halved(image, base)
    y = skips[-1]
    for skip, factor in zip(skips[-2::-1], (6, 4, 2, 1), strict=True):
        y = _up(y, skip, factor * base)
    return keras.Model(image, layers.Conv2D(1, 1, dtype="float32", name="pixels")(y), name="outline")


def slab_of(image: Any) -> Any:
    """What an outline network would be shown (`outline_input`, without a place) of a `malignancy_input`."""
    n = MALIGNANCY_SLICES
    lung, calcium, coarse = image[:, :, :, :n], image[:, :, :, n : 2 * n], image[:, :, :, -1:]
    narrow = ops.minimum(2 * calcium + 1, 1.0)  # -200..800 HU cut at 300
    pixel = coarse + math.log(MALIGNANCY_PIXEL_MM / USUAL_PIXEL_MM)
    return ops.concatenate([lung, narrow, coarse, pixel, ops.zeros_like(coarse)], axis=-1)


def trunk(shape: tuple[int, int, int], base: int = 16) -> keras.Model:
    """(n, TRUNK_FEATURES) numbers of what the encoder of an outline network sees of a nodule.

    Its maps, averaged within the outline; the coarse ones also over the window, and their maxima. Square
    roots, because they are skewed.
    """
    image = layers.Input(shape)
    middle = 2 * MALIGNANCY_SLICES + MALIGNANCY_SLICES // 2
    inside, pooled = image[:, :, :, middle : middle + 1], []
    for level, seen in enumerate(_halved(slab_of(image), base)):
        values = ops.cast(seen, "float32")
        share = ops.cast(ops.average_pool(inside, 2**level), "float32")
        pooled.append(ops.sum(values * share, axis=(1, 2)) / (ops.sum(share, axis=(1, 2)) + 1e-3))
        pooled += [ops.mean(values, axis=(1, 2))] if level >= 2 else []
        pooled += [ops.max(values, axis=(1, 2))] if level >= 3 else []
    return keras.Model(image, ops.sqrt(ops.concatenate(pooled, axis=-1) + 1e-4), name="trunk")


def _products(known: Any) -> Any:
    """Normalised numbers with the products of each two of them."""
    pairs = ops.expand_dims(known, -1) * ops.expand_dims(known, -2)
    return layers.Concatenate(dtype="float32")([known, layers.Flatten(dtype="float32")(pairs)])


def _normalised(values: Any, name: str) -> Any:
    return layers.BatchNormalization(scale=False, center=False, name=name, dtype="float32")(values)


def malignancy(shape: tuple[int, int, int], numbers: int, members: int, outputs: int) -> keras.Model:
    """(n, (members + 1) * outputs) logits: members that see pixels and numbers, and one of the numbers alone.

    The members are logistics of the same trunk and numbers, each to be fitted without a part of the
    patients; the last is a logistic of the numbers, cut at 4 standard deviations, and their products.
    """
    image, shown = layers.Input(shape), layers.Input((numbers,))
    known = ops.clip(_normalised(shown, "usual"), -4.0, 4.0)
    seen = _normalised(trunk(shape)(image), "seen")
    both = layers.Dropout(0.5, dtype="float32")(layers.Concatenate(dtype="float32")([seen, known]))
    outs = [
        layers.Dense(members * outputs, dtype="float32", name="members")(both),
        layers.Dense(outputs, dtype="float32", name="alone")(_products(known)),
    ]
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
