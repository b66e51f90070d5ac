"""Whether a file may be opened as weights: arrays for one of our own networks, and nothing that runs.

A `.keras` file describes a network that Keras would build on loading; classes of other people and Lambda
layers in such files have been roads to run code even in safe mode (CVE-2025-1550, CVE-2025-9906). Here the
description is looked through and left alone: the arrays go into the architecture that this code builds, which
is stricter than safe mode. HDF5 may point at other files of the computer; such links are refused too.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ENDINGS = (".weights.h5", ".keras")
MOST_BYTES = 512 * 1024 * 1024
HDF5 = b"\x89HDF\r\n\x1a\n"
PICKLE = b"\x80"
MEMBERS = frozenset({"metadata.json", "config.json", "model.weights.h5"})
# Layers of Keras itself that run what a file says.
RUNNING = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
PLAIN = frozenset({"__keras_tensor__", "__tuple__", "__slice__"})
OWN_INITIALIZERS = frozenset({"_rare"})


class WeightsRefusedError(RuntimeError):
    """Weights that are missing, not the registered ones, or no weights of ours; the text says which."""


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def vet(path: Path, sha256: str | None = None) -> str:
    """Refuse everything that is not a plain weights file (with this sha256, if one is given); the sha256.

    Raises
    ------
    WeightsRefusedError : what is wrong, in one sentence.
    """
    if path.is_dir():
        raise WeightsRefusedError(f"{path.name} is a folder; weights are one file: {' or '.join(ENDINGS)}.")
    if not path.is_file():
        raise WeightsRefusedError(f"There is no file {path}.")
    if not path.name.endswith(ENDINGS):
        raise WeightsRefusedError(f"{path.name} is not named like weights: {' or '.join(ENDINGS)}.")
    if path.stat().st_size > MOST_BYTES:
        raise WeightsRefusedError(f"{path.name} is larger than {MOST_BYTES >> 20} MB.")
    found = sha256_of(path)
    if sha256 is not None and found != sha256:
        raise WeightsRefusedError(
            f"{path.name} has the sha256 {found[:12]}..., but the registered one is {sha256[:12]}...: "
            "the file was changed or exchanged."
        )
    (_vet_keras if path.name.endswith(".keras") else _vet_hdf5)(path)
    return found


def _vet_hdf5(path: Path) -> None:
    import h5py

    with path.open("rb") as stream:
        head = stream.read(8)
    if head[:1] == PICKLE:
        raise WeightsRefusedError(f"{path.name} is a Python pickle, which could run code; it was not opened.")
    if head != HDF5:
        raise WeightsRefusedError(f"{path.name} is not an HDF5 file.")
    with h5py.File(path, "r") as file:
        _vet_group(path.name, file)


def _vet_group(name: str, group: Any) -> None:
    """Only groups and arrays of numbers that lie in the file itself."""
    import h5py

    for key in group:
        link = group.get(key, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise WeightsRefusedError(f"{name} points to something outside itself ({key}).")
        child = group[key]
        if isinstance(child, h5py.Group):
            _vet_group(name, child)
        elif child.is_virtual or child.external:
            raise WeightsRefusedError(f"{name} takes an array from another file ({key}).")
        elif child.dtype.kind not in "fiub" and key != "seed_generator_state":
            raise WeightsRefusedError(f"{name} holds something that is no number ({key}).")


def _vet_keras(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        raise WeightsRefusedError(f"{path.name} is not a .keras archive.")
    with zipfile.ZipFile(path) as archive:
        strange = sorted(set(archive.namelist()) - MEMBERS)
        if strange or "model.weights.h5" not in archive.namelist():
            raise WeightsRefusedError(
                f"{path.name} does not hold exactly weights and a description: {strange or 'no weights'}."
            )
        if sum(info.file_size for info in archive.infolist()) > MOST_BYTES:
            raise WeightsRefusedError(f"{path.name} is larger than {MOST_BYTES >> 20} MB unpacked.")
        described = json.loads(archive.read("config.json"))
        described.pop("compile_config", None)  # loss and optimizer: no part of the network
        for one in _described(described):
            _vet_class(path.name, one)


def _described(value: Any) -> Iterator[dict[str, Any]]:
    """Every class that a description names, however deep."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        for inner in value.values():
            yield from _described(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _described(inner)


def _vet_class(name: str, one: dict[str, Any]) -> None:
    told, module = str(one["class_name"]), str(one.get("module"))
    if told in RUNNING or "lambda" in told.lower():
        raise WeightsRefusedError(f"{name} holds a {told} layer, which could run code; it was not opened.")
    if told in PLAIN or (told == "function" and one.get("config") in OWN_INITIALIZERS):
        return
    foreign = module.partition(".")[0] != "keras" or one.get("registered_name") not in (None, told)
    if foreign:
        raise WeightsRefusedError(f"{name} names a class that is not Keras's own: {module}.{told}.")


def arrays_of(path: Path) -> list[tuple[int, ...]]:
    """Shapes of the stored arrays, in order of size, without those of an optimizer."""
    import h5py

    if path.name.endswith(".keras"):
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content, "r") as file:
            _vet_group(path.name, file)
            return _shapes(file)
    with h5py.File(path, "r") as file:
        return _shapes(file)


def _shapes(file: Any) -> list[tuple[int, ...]]:
    import h5py

    found: list[tuple[int, ...]] = []

    def see(name: str, child: Any) -> None:
        if isinstance(child, h5py.Dataset) and not name.startswith("optimizer"):
            found.append(tuple(child.shape))

    file.visititems(see)
    return sorted(found)


def prove(network: str, path: Path) -> None:
    """Put vetted weights into our own architecture; imports TensorFlow.

    Raises
    ------
    WeightsRefusedError : they belong to another architecture, or are not numbers.
    """
    import numpy as np

    from inference.cnn import loading

    model = loading.build(network)
    other = f"{path.name} does not hold the weights of our network {network!r}: it is another architecture."
    with tempfile.TemporaryDirectory() as folder:
        ours = Path(folder) / "ours.weights.h5"
        model.save_weights(ours)
        if arrays_of(path) != arrays_of(ours):
            raise WeightsRefusedError(other)
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise WeightsRefusedError(other) from error
    if not all(np.isfinite(w).all() for w in model.get_weights()):
        raise WeightsRefusedError(f"{path.name} holds weights that are not finite: the training diverged.")
