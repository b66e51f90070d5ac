"""Where a training stands, on disk at every moment: killed at any point, it goes on from the last checkpoint.

`state.json` names the weights file that belongs to it and is replaced in one step after that file is whole.
Batches are drawn from a generator seeded by (seed, step), so the step is all that the data need to go on.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

STATE = "state.json"


class ResumeError(RuntimeError):
    """A training that cannot go on; the text says why."""


@dataclass(frozen=True)
class State:
    """Steps and seconds so far, the best score with its step and figures, and validations since then."""

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int = 0
    best_figures: dict[str, float] = dataclasses.field(default_factory=dict)
    stale: int = 0
    ended: str = ""


FIELDS = tuple(field.name for field in dataclasses.fields(State))


def write_json(path: Path, content: Any) -> None:
    """Whole or not at all: written beside its place, forced to disk, and moved there."""
    beside = path.with_name(f".{path.name}.partial")
    with beside.open("w") as stream:
        json.dump(content, stream, indent=2)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(beside, path)


def save(model: keras.Model, state: State, folder: Path) -> None:
    """Weights with the optimizer's state, then `state.json`, then the older weights go."""
    import keras

    name = f"checkpoint-{state.step:08d}.weights.h5"
    beside = folder / f"partial-{state.step:08d}.weights.h5"
    model.save_weights(beside, overwrite=True)
    os.replace(beside, folder / name)
    dropout = [keras.ops.convert_to_numpy(one).tolist() for one in _random_states(model)]
    write_json(folder / STATE, {**dataclasses.asdict(state), "weights": name, "dropout": dropout})
    for older in (*folder.glob("checkpoint-*.weights.h5"), *folder.glob("partial-*.weights.h5")):
        if older.name != name:
            older.unlink()


def _random_states(model: keras.Model) -> list[Any]:
    """Where the random generators of dropout stand; Keras leaves them out of weights files."""
    return [one for one in model.variables if one.name == "seed_generator_state"]


def known(folder: Path) -> State:
    """Where the training in a folder stands; a fresh state where there is none."""
    told = _read(folder)
    return State(**{name: told[name] for name in FIELDS if name in told})


def _read(folder: Path) -> dict[str, Any]:
    path = folder / STATE
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def restored(model: keras.Model, folder: Path) -> State:
    """Put the last checkpoint into a model whose optimizer is built; a fresh state where there is none.

    Raises
    ------
    ResumeError : the checkpoint belongs to another network or is damaged.
    """
    told = _read(folder)
    if not told:
        return State()
    weights = folder / told["weights"]
    try:
        model.load_weights(weights)
        for variable, value in zip(_random_states(model), told["dropout"], strict=True):
            variable.assign(value)
    except (OSError, ValueError, KeyError) as error:
        raise ResumeError(
            f"{weights} does not fit this training: was the task or a setting of the network changed since? "
            "Start anew in another folder."
        ) from error
    return known(folder)
