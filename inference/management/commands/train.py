"""`bin/manage train TASK --data DIR --out DIR`: train one network; see docs/training.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.cnn.naming import NETWORK_OF_TASK, task_named
from inference.cnn.training.checkpoints import ResumeError
from inference.cnn.training.config import ConfigError, config_for
from inference.cnn.training.crossval import cross_validate
from inference.cnn.training.prepared import DivergedError, Fold
from inference.cnn.training.session import BACKENDS, BackendError, Order, preparer, train, use_backend


def add_order(parser: argparse.ArgumentParser) -> None:
    """The options that `train` and `tune` share."""
    parser.add_argument("task", type=task_of, metavar="TASK", help=f"one of {', '.join(NETWORK_OF_TASK)}")
    parser.add_argument("--data", type=Path, required=True, help="folder with the training data")
    parser.add_argument("--out", type=Path, required=True, help="folder for everything that is written")
    parser.add_argument("--config", type=Path, help="TOML file; its keys win over the defaults of the task")
    parser.add_argument("--backend", choices=BACKENDS, default="tensorflow", help="what Keras runs on")
    parser.add_argument("--minutes", type=float, help="wall clock of one training")
    parser.add_argument("--seed", type=int, help="the same seed gives the same training")
    parser.add_argument("--start", type=Path, help="weights of the same network to start from")


def task_of(name: str) -> str:
    try:
        return task_named(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def order_of(options: dict[str, Any], **more: Any) -> Order:
    """What the options ask for, checked before the slow imports."""
    network = NETWORK_OF_TASK[options["task"]]
    for name in ("data", "start"):
        path = options[name]
        if path is not None and not path.exists():
            raise CommandError(f"--{name}: there is no {path}.")
    given = {name: options[name] for name in ("minutes", "seed")}
    try:
        config = config_for(network, options["config"], **given)
        use_backend(options["backend"])
    except (ConfigError, BackendError) as error:
        raise CommandError(str(error)) from error
    return Order(
        network,
        options["data"],
        options["out"],
        config,
        start=options["start"],
        minutes=options["minutes"],
        **more,
    )


class Command(BaseCommand):
    help = "Train a network. Ctrl-C keeps a checkpoint; --resume goes on with it."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_order(parser)
        parser.add_argument("--resume", action="store_true", help="go on with the training in --out")
        parser.add_argument("--folds", type=int, help="cross-validation by patient in so many folds")
        parser.add_argument("--fold", type=int, help="with --folds: only this one, from 0")

    def handle(self, *args: Any, **options: Any) -> None:
        folds, only = options["folds"], options["fold"]
        if only is not None and folds is None:
            raise CommandError("--fold names one of --folds: give both.")
        order = order_of(options, resume=options["resume"])
        try:
            if folds is None:
                self._train(order)
            else:
                Fold(only or 0, folds)
                self._folds(order, folds, only)
        except FileNotFoundError as error:
            raise CommandError(
                f"--data: {error.filename or error} is missing; see docs/training.md."
            ) from error
        except (ConfigError, DivergedError, ResumeError, ValueError) as error:
            raise CommandError(str(error)) from error

    def _train(self, order: Order) -> None:
        state = train(order, preparer(order.network), sys.stderr)
        if state.ended == "stopped":
            raise CommandError(f"Stopped at step {state.step}; go on with --resume.", returncode=130)
        best = "" if state.best is None else f", best score {state.best:.4f} at step {state.best_step}"
        self.stdout.write(f"{order.out / order.network}.weights.h5: {state.step} steps{best}.")

    def _folds(self, order: Order, folds: int, only: int | None) -> None:
        told = cross_validate(order, folds, preparer(order.network), sys.stderr, only)
        self.stdout.write(f"{told['complete']} of {folds} folds are complete.")
        self.stdout.write(json.dumps(told["mean"], indent=2))
