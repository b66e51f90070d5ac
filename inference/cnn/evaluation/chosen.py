"""The networks that are evaluated: the shipped ones, or weights of the same architecture from a file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.cnn.evaluation.errors import EvaluationError, NotShippedError
from inference.cnn.networks import WEIGHTS, LoadedNetworks, Network, checked, load_networks, manifest
from inference.cnn.vetting import vet

# Crops come singly: filling up a batch that was made for a whole scan would be for nothing.
AT_MOST = {"candidates": 1, "reduction": 4, "seeker": 8, "outline": 8, "malignancy": 1}
# Of networks that look at single pictures and have no batch of their own.
FLAT_BATCH = 32


@dataclass(frozen=True)
class Chosen:
    """Loaded networks by name."""

    loaded: LoadedNetworks

    def __getitem__(self, name: str) -> Network:
        """One network; those that no scan needs are loaded when they are asked for."""
        if name in self.loaded.by_task:
            return self.loaded.by_task[name]
        if (WEIGHTS / f"{name}.json").is_file():
            return _loaded(name, *checked(name), manifest(name))
        raise NotShippedError(
            f"The network '{name}' is not shipped; train one and give its weights with --weights."
        )

    def hashes(self, *names: str) -> dict[str, str]:
        """sha256 of those among them that there are."""
        there = (n for n in names if n in self.loaded.by_task or (WEIGHTS / f"{n}.json").is_file())
        return {name: self[name].sha256 for name in there}

    def for_crops(self) -> Chosen:
        """The same with small batches."""
        small = {
            name: dataclasses.replace(network, batch=min(network.batch, AT_MOST.get(name, network.batch)))
            for name, network in self.loaded.by_task.items()
        }
        return Chosen(LoadedNetworks(small))


def chosen(network: str, weights: Path | None) -> Chosen:
    """The shipped networks; `weights` (a file for `network`, or a folder with manifests) replaces some."""
    shipped = dict(load_networks().by_task)
    if weights is None:
        return Chosen(LoadedNetworks(shipped))
    if weights.is_dir():
        return Chosen(LoadedNetworks({**shipped, **_of_folder(weights)}))
    return Chosen(LoadedNetworks({**shipped, network: _of_file(network, weights)}))


def _of_folder(folder: Path) -> dict[str, Network]:
    """The networks that have a manifest in the folder; for the rest the shipped ones are taken."""
    from inference.cnn import loading

    named = sorted(p.stem for p in folder.glob("*.json") if p.stem in loading.BUILDERS)
    if not named:
        raise EvaluationError(
            f"{folder} holds no manifest of a network (candidates.json, outline.json, ...)."
        )
    return {name: _loaded(name, *checked(name, folder), manifest(name, folder)) for name in named}


def _of_file(network: str, path: Path) -> Network:
    """Weights with the shipped manifest's thresholds; refused unless they fit the architecture."""
    told = manifest(network) if (WEIGHTS / f"{network}.json").is_file() else {}
    return _loaded(network, path, vet(path), told)


def _loaded(name: str, path: Path, sha256: str, told: dict[str, Any]) -> Network:
    from inference.cnn import loading

    if name not in loading.BUILDERS:
        raise NotShippedError(f"There is no architecture for the network '{name}'.")
    try:
        graph = loading.graph(name, str(path))
    except (ValueError, OSError, KeyError) as error:
        raise EvaluationError(f"{path.name} holds no weights of the network '{name}'.") from error
    return Network(name, sha256, told, graph, loading.BATCHES.get(name, FLAT_BATCH))
