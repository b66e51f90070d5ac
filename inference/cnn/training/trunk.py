"""The part of the malignancy network that looks at pixels: the encoder of the shipped seeker."""

from __future__ import annotations

from typing import Any

import keras

from inference.cnn import loading, planar
from inference.cnn.networks import WEIGHTS
from inference.cnn.preprocessing import MALIGNANCY_CHANNELS, MALIGNANCY_WINDOW

SHAPE = (MALIGNANCY_WINDOW, MALIGNANCY_WINDOW, MALIGNANCY_CHANNELS)


def made(model: keras.Model) -> dict[str, list[Any]]:
    """Convolutions and normalisations that Keras named, in the order in which they were made, by kind."""

    def number(layer: Any) -> int:
        end = layer.name.rsplit("_", 1)[-1]
        return int(end) if end.isdigit() else 0

    found: dict[str, list[Any]] = {}
    unnamed = (one for one in model.layers if one.name.startswith(("conv2d", "batch_normalization")))
    for layer in sorted(unnamed, key=number):
        found.setdefault(type(layer).__name__, []).append(layer)
    return found


def take_encoder(trunk: keras.Model, outline: keras.Model) -> None:
    """Give a trunk the weights of an outline network's encoder, whose layers were made first."""
    given = made(outline)
    for kind, layers in made(trunk).items():
        for layer, source in zip(layers, given[kind], strict=False):
            layer.set_weights(source.get_weights())
    trunk.trainable = False


def seeker_trunk() -> keras.Model:
    """The trunk with the encoder of the shipped seeker."""
    trunk, seeker = planar.trunk(SHAPE), loading.build("seeker")
    seeker.load_weights(WEIGHTS / "seeker.weights.h5")
    take_encoder(trunk, seeker)
    return trunk
