"""The networks that are evaluated: the shipped ones, or weights of the same architecture from a file."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.cnn.evaluation.errors import EvaluationError, NotShippedError
from inference.cnn.networks import WEIGHTS, LoadedNetworks, Network, load_networks, manifest


@dataclass(frozen=True)
class Chosen:
    """Loaded networks by name."""

    loaded: LoadedNetworks

    def __getitem__(self, name: str) -> Network:
        if name not in self.loaded.by_task:
            raise NotShippedError(
                f"The network '{name}' is not shipped; train one and give its weights with --weights."
            )
        return self.loaded.by_task[name]

    @property
    def hashes(self) -> dict[str, str]:
        return self.loaded.networks

    def one_at_a_time(self) -> Chosen:
        """The same without filling up batches: crops come singly."""
        single = {t: dataclasses.replace(n, batch=1) for t, n in self.loaded.by_task.items()}
        return Chosen(LoadedNetworks(single))


def chosen(network: str, weights: Path | None) -> Chosen:
    """The shipped networks; `weights` (a file for `network`, or a folder with manifests) replaces some."""
    if weights is None:
        return Chosen(load_networks())
    if weights.is_dir():
        return Chosen(_of_folder(weights))
    if not weights.is_file():
        raise EvaluationError(f"There are no weights at {weights}.")
    shipped = load_networks()
    return Chosen(LoadedNetworks({**shipped.by_task, network: _of_file(network, weights)}))


def _of_folder(folder: Path) -> LoadedNetworks:
    """Networks with a manifest in the folder; for the rest the shipped ones."""
    named = sorted(p.stem for p in folder.glob("*.json") if (WEIGHTS / p.name).exists())
    if not named:
        raise EvaluationError(
            f"{folder} holds no manifest of a network (candidates.json, outline.json, ...)."
        )
    from inference.cnn.networks import checked

    own = {name: _loaded(name, checked(name, folder)[0], manifest(name, folder)) for name in named}
    return LoadedNetworks({**load_networks().by_task, **own})


def _of_file(network: str, path: Path) -> Network:
    """Weights with the shipped manifest's thresholds; refused unless they fit the architecture."""
    return _loaded(network, path, manifest(network))


def _loaded(name: str, path: Path, told: dict[str, Any]) -> Network:
    from inference.cnn import loading

    if name not in loading.BUILDERS:
        raise NotShippedError(f"There is no architecture for the network '{name}'.")
    try:
        graph = loading.graph(name, str(path))
    except (ValueError, OSError, KeyError) as error:
        raise EvaluationError(f"{path.name} holds no weights of the network '{name}'.") from error
    return Network(name, hashlib.sha256(path.read_bytes()).hexdigest(), told, graph, loading.BATCHES[name])
