"""A search for better settings: Optuna proposes, each trial is a short training.

Trials are judged on patients kept aside. The study is a journal in the folder, so that a search that was
killed goes on; what it leaves behind, `best.toml`, is a file for `train --config`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from inference.cnn.training.config import TUNE, ConfigError, config_from, merged
from inference.cnn.training.prepared import SCORE, Figures, Fold
from inference.cnn.training.session import Order, Prepare, train

if TYPE_CHECKING:
    import optuna

JOURNAL = "study.journal"
BEST = "best.toml"
ASIDE = 5  # every trial keeps the same fifth of the patients aside


def flat(space: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Ranges by dotted name: {low, high, log} or a list of choices."""
    found: dict[str, Any] = {}
    for key, value in space.items():
        if isinstance(value, Mapping) and "low" not in value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def proposed(trial: optuna.Trial, space: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of one trial, nested as in a configuration."""
    told: dict[str, Any] = {}
    for name, allowed in flat(space).items():
        told = merged(told, nested(name, _suggested(trial, name, allowed)))
    return told


def nested(name: str, value: Any) -> dict[str, Any]:
    table, _, key = name.rpartition(".")
    return {table: {key: value}} if table else {key: value}


def _suggested(trial: optuna.Trial, name: str, allowed: Any) -> Any:
    if isinstance(allowed, list):
        return trial.suggest_categorical(name, allowed)
    if not isinstance(allowed, Mapping) or not set(allowed) <= {"low", "high", "log"}:
        raise ConfigError(f"tune.{name} must be a list of values or {{low = , high = , log = true}}.")
    return trial.suggest_float(name, allowed["low"], allowed["high"], log=bool(allowed.get("log", False)))


def toml(told: Mapping[str, Any]) -> str:
    """Plain settings as TOML: values first, then one level of tables."""
    plain = [f"{key} = {_value(value)}" for key, value in told.items() if not isinstance(value, Mapping)]
    tables = [
        "\n".join(["", f"[{key}]", *(f"{k} = {_value(v)}" for k, v in value.items())])
        for key, value in told.items()
        if isinstance(value, Mapping)
    ]
    return "\n".join([*plain, *tables]) + "\n"


def _value(value: Any) -> str:
    return (
        f'"{value}"' if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else str(value)
    )


class Pruned(Exception):
    """A trial that is worse than the median of the earlier ones at the same step."""


@dataclasses.dataclass
class _Watch:
    """Tells Optuna the score of each validation, and ends a trial that falls behind."""

    trial: optuna.Trial

    def record(self, moment: Any) -> None: ...

    def validated(self, moment: Any, figures: Figures) -> None:
        self.trial.report(figures[SCORE], moment.step)
        if self.trial.should_prune():
            raise Pruned


def tune(order: Order, told: Mapping[str, Any], trials: int, prepare: Prepare, stream: IO[str]) -> Path:
    """Search until `trials` have ended, counting those of earlier calls; returns `best.toml`.

    `told` are the settings with their table [tune] of ranges.

    Raises
    ------
    ConfigError : there are no ranges to search.
    """
    space = told.get(TUNE)
    if not space:
        raise ConfigError("There is nothing to search: the settings have no table [tune] with ranges.")
    study = _study(order)
    while len(_ended(study)) < trials:
        _one_trial(study, order, told, prepare, stream)
    best = order.out / BEST
    found: dict[str, Any] = {}
    for name, value in study.best_params.items():
        found = merged(found, nested(name, value))
    head = (
        f"# Best of {len(_ended(study))} trials: score {study.best_value:.5g} on the patients kept aside.\n"
    )
    best.write_text(head + toml(found))
    return best


def _study(order: Order) -> optuna.Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    order.out.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=order.network,
        storage=JournalStorage(JournalFileBackend(str(order.out / JOURNAL))),
        sampler=optuna.samplers.TPESampler(seed=order.config.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
        direction="maximize",
        load_if_exists=True,
    )
    for left in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):  # of a search that was killed
        study.tell(left.number, state=optuna.trial.TrialState.FAIL)
    return study


def _ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _one_trial(
    study: optuna.Study, order: Order, told: Mapping[str, Any], prepare: Prepare, stream: IO[str]
) -> None:
    from optuna.trial import TrialState

    trial = study.ask()
    given = merged(told, proposed(trial, told[TUNE]))
    config = dataclasses.replace(config_from(given), seed=order.config.seed)
    stream.write(f"Trial {trial.number}: {trial.params}\n")
    out = order.out / f"trial-{trial.number:03d}"
    one = dataclasses.replace(order, config=config, out=out, fold=Fold(0, ASIDE))
    try:
        state = train(one, prepare, stream, [_Watch(trial)])
    except Pruned:
        study.tell(trial, state=TrialState.PRUNED)
        return
    except KeyboardInterrupt:
        study.tell(trial, state=TrialState.FAIL)
        raise
    if state.ended == "stopped":
        study.tell(trial, state=TrialState.FAIL)
        raise KeyboardInterrupt
    study.tell(trial, state.best)
