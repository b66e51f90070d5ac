"""`bin/manage register_model TASK WEIGHTS --card FILE`: weights into the registry, and in force."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.problems import UserError
from inference.cnn.cards import SECTIONS, missing_sections
from inference.cnn.naming import NETWORK_OF_TASK
from inference.cnn.vetting import WeightsRefusedError
from inference.management.commands.train import task_of
from inference.registry import Candidate, register


class Command(BaseCommand):
    help = (
        "Register weights of one of our networks with their card; new scans are read with them from then on."
    )

    def create_parser(self, prog_name: str, subcommand: str, **more: Any) -> CommandParser:
        """Django has a --version of its own, which gives way to that of the weights."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **more)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("task", type=task_of, metavar="TASK", help=f"one of {', '.join(NETWORK_OF_TASK)}")
        parser.add_argument("weights", type=Path, help=".weights.h5 or .keras of our own architecture")
        parser.add_argument("--card", type=Path, required=True, help="model card as Markdown")
        parser.add_argument("--version", dest="of", default="1", help="version of these weights (1)")
        parser.add_argument("--metrics", type=Path, help="JSON that evaluate wrote")
        parser.add_argument(
            "--manifest", type=Path, help="JSON with thresholds and calibration of these weights"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        network = NETWORK_OF_TASK[options["task"]]
        wanted = Candidate(
            network,
            options["weights"],
            _card(options["card"]),
            options["of"],
            _json(options["metrics"]),
            _json(options["manifest"]),
        )
        try:
            row = register(wanted)
        except WeightsRefusedError as error:
            raise CommandError(str(error)) from error
        except UserError as error:
            raise CommandError(error.sentence) from error
        self.stdout.write(f"{row.task} {row.version} is in force.\n{row.sha256}")


def _card(path: Path) -> str:
    if not path.is_file():
        raise CommandError(f"--card: there is no file {path}.")
    card = path.read_text()
    if missing := missing_sections(card):
        raise CommandError(
            f"--card: {path.name} has no section {missing[0]!r}; a card has: {', '.join(SECTIONS)}."
        )
    return card


def _json(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read as JSON.") from error
    if not isinstance(found, dict):
        raise CommandError(f"{path} must hold a JSON object.")
    return found
