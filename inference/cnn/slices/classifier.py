"""Normal, benign or malignant: the small network on a picture's features, and how far its parts agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inference.cnn.networks import WEIGHTS, Network, checked, manifest
from inference.cnn.slices.dataset import CLASSES

NAME = "slices"
BATCH = 32
Confidence = Literal["low", "medium", "high"]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Classified:
    """Probability of each class, the most probable one, and low / medium / high agreement of the heads."""

    probabilities: dict[str, float]
    label: str
    confidence: Confidence

    @property
    def probability(self) -> float:
        return self.probabilities[self.label]


def load_classifier(folder: Path = WEIGHTS) -> Network:
    """The shipped classifier, loaded once per process and hash; imports TensorFlow.

    Raises
    ------
    WeightsRefusedError : missing weights, or others than the manifest names.
    """
    path, sha256 = checked(NAME, folder)
    return _loaded(str(path), sha256, str(folder))


@lru_cache(maxsize=2)
def _loaded(path: str, sha256: str, folder: str) -> Network:
    from inference.cnn import loading

    return Network(NAME, sha256, manifest(NAME, Path(folder)), loading.graph(NAME, path), BATCH)


def head_probabilities(logits: FloatArray) -> FloatArray:
    """Softmax of (n, heads, classes)."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)


def probabilities(logits: FloatArray) -> FloatArray:
    """(n, classes): mean over the heads."""
    return np.asarray(head_probabilities(logits).mean(axis=1), np.float32)


def classify(features: FloatArray, network: Network) -> Classified:
    """What the network says of one picture."""
    heads = head_probabilities(network(features[None]))[0]
    mean = heads.mean(axis=0)
    leading = int(mean.argmax())
    votes = float(np.mean(heads.argmax(axis=1) == leading))
    told = {name: round(float(p), 4) for name, p in zip(CLASSES, mean, strict=True)}
    return Classified(told, CLASSES[leading], _confidence(votes, float(mean[leading])))


def _confidence(votes: float, leading: float) -> Confidence:
    if votes == 1 and leading >= 0.8:
        return "high"
    return "medium" if votes >= 0.75 and leading >= 0.5 else "low"
