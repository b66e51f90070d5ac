"""How a training runs: defaults of each task in `configs/TASK.toml`, a user's file wins key by key."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).parent / "configs"
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
AUGMENTATIONS = (
    "flip", "rotate", "scale", "shift", "noise", "kernel", "thickness", "intensity", "copy_paste",
)  # fmt: skip
TUNE = "tune"


class ConfigError(ValueError):
    """A configuration that cannot be used; the text says what is wrong and what there is."""


@dataclass(frozen=True)
class Config:
    """One training.

    `minutes` of wall clock, unless `steps` is above 0: then that many. `rate` is the peak learning rate.
    `validate_every` counts steps and `patience` validations without a better score (0: never, no early end).
    `keep_average` is the decay of the running mean of the weights (0: none); `threads` 0 means all cores.
    `augmentation` holds probabilities, `network` free numbers of the task, `files` paths that the task reads.
    """

    seed: int = 1
    minutes: float = 20.0
    steps: int = 0
    batch: int = 16
    rate: float = 1e-3
    weight_decay: float = 1e-3
    precision: str = "float32"
    validate_every: int = 0
    patience: int = 0
    checkpoint_every_s: float = 120.0
    keep_average: float = 0.0
    threads: int = 0
    augmentation: Mapping[str, float] = field(default_factory=dict)
    network: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision is {self.precision!r}; there are: {', '.join(PRECISIONS)}.")
        if self.batch < 1 or self.rate <= 0:
            raise ConfigError("batch must be at least 1 and rate above 0.")
        if self.minutes <= 0 and self.steps <= 0:
            raise ConfigError("Either minutes or steps must be above 0, or nothing would be trained.")
        if not 0 <= self.keep_average < 1:
            raise ConfigError("keep_average is a decay from 0 (none) to below 1, such as 0.999.")
        wrong = [name for name, p in self.augmentation.items() if not 0 <= p <= 1]
        if wrong:
            raise ConfigError(f"augmentation.{wrong[0]} is a probability: from 0 to 1.")


TABLES = ("augmentation", "network", "files")
KINDS = {f.name: type(f.default) for f in dataclasses.fields(Config) if f.name not in TABLES}


def defaults(network: str) -> dict[str, Any]:
    """The shipped settings of one network, plain; empty where none are shipped."""
    path = CONFIGS / f"{network}.toml"
    return tomllib.loads(path.read_text()) if path.is_file() else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(f"There is no file {path}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Single keys of `over` win, also within tables."""
    both = dict(under)
    for key, value in over.items():
        both[key] = {**both.get(key, {}), **value} if isinstance(value, Mapping) else value
    return both


def settings(network: str, path: Path | None = None, **given: Any) -> dict[str, Any]:
    """Defaults, then the file, then what was given on the command line (None: not given)."""
    told = merged(defaults(network), _read(path) if path else {})
    return merged(told, {key: value for key, value in given.items() if value is not None})


def config_for(network: str, path: Path | None = None, **given: Any) -> Config:
    """The configuration of one training; ConfigError names the known keys."""
    return config_from(settings(network, path, **given))


def config_from(told: Mapping[str, Any]) -> Config:
    """From plain settings, each key and type checked; the ranges of [tune] are left out."""
    values: dict[str, Any] = {}
    for key, value in told.items():
        if key in TABLES:
            values[key] = _table(key, value)
        elif key in KINDS:
            values[key] = _typed(key, value)
        elif key != TUNE:
            known = ", ".join([*KINDS, *(f"[{t}]" for t in (*TABLES, TUNE))])
            raise ConfigError(f"There is no setting {key!r}; there are: {known}.")
    return Config(**values)


def _typed(key: str, value: Any) -> Any:
    kind = KINDS[key]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ConfigError(f"{key} is {value!r}, but must be {_NAMED[kind]}.")
    return value


def _table(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name} is a table: write [{name}] on a line of its own, then name = value.")
    if name == "augmentation" and (unknown := [key for key in value if key not in AUGMENTATIONS]):
        raise ConfigError(f"There is no augmentation {unknown[0]!r}; there are: {', '.join(AUGMENTATIONS)}.")
    kinds = (str,) if name == "files" else (int, float)
    for key, one in value.items():
        if not isinstance(one, kinds) or isinstance(one, bool):
            raise ConfigError(f"{name}.{key} is {one!r}, but must be {_NAMED[kinds[-1]]}.")
    return {key: one if name == "files" else float(one) for key, one in value.items()}


_NAMED = {int: "a whole number", float: "a number", str: "a text"}
