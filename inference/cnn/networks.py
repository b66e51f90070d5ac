"""The networks that read: weights with a manifest each, refused unless the hash matches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.cnn.engine import Precision, precision
from inference.cnn.vetting import WeightsRefusedError, sha256_of, vet

WEIGHTS = Path(__file__).parent / "weights"
TASKS = ("candidates", "reduction", "seeker", "outline", "malignancy")

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """One loaded network: its manifest and a function on batches of a fixed size."""

    task: str
    sha256: str
    manifest: Mapping[str, Any]
    model: Any = field(repr=False)
    batch: int = 1
    precision: Precision = "float32"

    def __call__(self, *inputs: FloatArray) -> FloatArray:
        """Outputs for any number of samples; the last batch is filled up so that no shape is new."""
        import tensorflow as tf

        count, outs = inputs[0].shape[0], []
        for start in range(0, count, self.batch):
            part = [_filled_up(x[start : start + self.batch], self.batch) for x in inputs]
            given = [tf.constant(p) for p in part]
            outs.append(self.model(given if len(given) > 1 else given[0]).numpy()[: count - start])
        return np.concatenate(outs)


def _filled_up(x: FloatArray, batch: int) -> FloatArray:
    if x.shape[0] == batch:
        return x
    return np.concatenate([x, np.zeros((batch - x.shape[0], *x.shape[1:]), x.dtype)])


@dataclass(frozen=True)
class LoadedNetworks:
    """All networks of the pipeline by task; `networks` maps each task to the sha256 of its weights."""

    by_task: Mapping[str, Network]

    @property
    def networks(self) -> dict[str, str]:
        return {task: network.sha256 for task, network in self.by_task.items()}

    @property
    def manifests(self) -> dict[str, Mapping[str, Any]]:
        return {task: network.manifest for task, network in self.by_task.items()}

    def __getitem__(self, task: str) -> Network:
        return self.by_task[task]


def manifest(task: str, folder: Path = WEIGHTS) -> dict[str, Any]:
    """The manifest of one network."""
    path = folder / f"{task}.json"
    if not path.is_file():
        raise WeightsRefusedError(f"The network '{task}' has no manifest in {folder.name}.")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def checked(task: str, folder: Path = WEIGHTS) -> tuple[Path, str]:
    """Path and sha256 of the weights of one network, after the hash matched its manifest."""
    told = manifest(task, folder)
    path = folder / str(told["file"])
    if not path.is_file():
        raise WeightsRefusedError(f"The weights of '{task}' are missing: {path.name}.")
    found = sha256_of(path)
    if found != told["sha256"]:
        raise WeightsRefusedError(f"The weights of '{task}' are not those of its manifest.")
    return path, vet(path, found)


def weights_hashes(folder: Path = WEIGHTS) -> dict[str, str]:
    """sha256 by task, as the manifests state them; needs no TensorFlow."""
    return {task: str(manifest(task, folder)["sha256"]) for task in TASKS}


def load_networks(
    folder: Path = WEIGHTS, instead: Mapping[str, Path] = MappingProxyType({})
) -> LoadedNetworks:
    """Load (once per process and hash) every network; imports TensorFlow.

    `instead` names other folders, each with manifest and weights, for some of the networks.
    """
    folders = {task: instead.get(task, folder) for task in TASKS}
    found = {task: checked(task, where) for task, where in folders.items()}
    return LoadedNetworks({t: _network(t, str(p), h, str(folders[t])) for t, (p, h) in found.items()})


@lru_cache(maxsize=8)
def _network(task: str, path: str, sha256: str, folder: str) -> Network:
    from inference.cnn import loading

    told = manifest(task, Path(folder))
    chosen = precision() if task == "candidates" else "float32"
    return Network(task, sha256, told, loading.graph(task, path, chosen), loading.BATCHES[task], chosen)
