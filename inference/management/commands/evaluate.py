"""`bin/manage evaluate TASK --data DIR --out report.json`: what the networks are worth on a data set."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.cnn.evaluation.errors import EvaluationError
from inference.cnn.evaluation.luna import FrocFiles
from inference.cnn.evaluation.run import evaluate
from inference.cnn.evaluation.tasks import Request, Told
from inference.cnn.vetting import WeightsRefusedError

SHOWN = ("n_nodules", "auc", "dice_mean", "cpm", "balanced_accuracy", "unmarked_median")


class Command(BaseCommand):
    help = (
        "Measure detection, reduction, segmentation, malignancy, slices, whole or froc on labelled data: "
        "figures as JSON, and a report with plots and pictures beside them (.html). Needs no database."
    )
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "task", help="detection, reduction, segmentation, malignancy, slices, whole, froc"
        )
        parser.add_argument(
            "--data", type=Path, help="folder in the layout of lidc, luna16, iq-oth-nccd, whole"
        )
        parser.add_argument(
            "--split", default="val", help="train, val, heldout, any SPLIT_nodules.csv, or all"
        )
        parser.add_argument(
            "--weights", type=Path, help="weights of that network, or a folder with manifests"
        )
        parser.add_argument("--out", type=Path, required=True, help="JSON file; the report goes beside it")
        parser.add_argument("--limit", type=int, help="the first N nodules, patches or scans alone")
        parser.add_argument(
            "--brief", action="store_true", help="the headline alone, without further protocols"
        )
        parser.add_argument("--marks", type=Path, help="froc: CSV with seriesuid, coordX, Y, Z, probability")
        parser.add_argument(
            "--annotations", type=Path, help="froc: CSV with seriesuid, coordX, Y, Z, diameter_mm"
        )
        parser.add_argument("--exclusions", type=Path, help="froc: CSV of findings that count neither way")
        parser.add_argument("--scans", type=Path, help="froc: the series that were read, one a line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = evaluate(_request(options, _progress(self)), options["out"])
        except (EvaluationError, WeightsRefusedError) as error:
            raise CommandError(str(error)) from error
        told = {key: report[key] for key in SHOWN if report.get(key) is not None}
        self.stdout.write(json.dumps(told))
        self.stdout.write(f"{options['out']} and {options['out'].with_suffix('.html')} are written.")


def _request(options: dict[str, Any], tell: Told) -> Request:
    files, data = None, options["data"]
    if options["marks"] or options["annotations"]:
        if not (options["marks"] and options["annotations"]):
            raise EvaluationError("Give both --marks and --annotations, or --data with LUNA16's file names.")
        tables = ("marks", "annotations", "exclusions", "scans")
        files = FrocFiles(**{name: options[name] for name in tables})
        data = data or options["marks"].parent
    if data is None:
        raise EvaluationError("Name the folder with the data: --data DIR.")
    kept = {name: options[name] for name in ("task", "split", "weights", "limit", "brief")}
    return Request(**kept, data=data, froc=files, tell=tell)


def _progress(command: BaseCommand) -> Told:
    """A line that is written over on a terminal; silence elsewhere."""

    def tell(what: str, part: float) -> None:
        if sys.stderr.isatty():
            end = "\n" if part >= 1 else ""
            command.stderr.write(f"\r{what}: {100 * part:3.0f} %", ending=end)

    return tell
