"""`bin/manage tune TASK --data DIR --out DIR --trials N`: search for settings; see docs/training.md."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.cnn.training.config import ConfigError, settings
from inference.cnn.training.prepared import DivergedError
from inference.cnn.training.session import preparer
from inference.cnn.training.tuning import tune
from inference.management.commands.train import add_order, order_of


class Command(BaseCommand):
    help = "Search for settings with Optuna; writes best.toml for train --config. Asked again, it goes on."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_order(parser)
        parser.add_argument("--trials", type=int, default=20, help="short trainings in all (20)")

    def handle(self, *args: Any, **options: Any) -> None:
        order = order_of(options)
        told = settings(order.network, options["config"], minutes=options["minutes"])
        try:
            best = tune(order, told, options["trials"], preparer(order.network), sys.stderr)
        except KeyboardInterrupt:
            raise CommandError("Stopped; the same command goes on.", returncode=130) from None
        except (ConfigError, DivergedError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{best}\n{best.read_text()}")
