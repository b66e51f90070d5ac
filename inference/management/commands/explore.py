"""`bin/manage explore --data DIR --out report.html`: look at data before training; see docs/data.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.cnn.data.explore.catalogue import Catalogue, catalogue
from inference.cnn.data.explore.leakage import leakage
from inference.cnn.data.explore.report import report
from inference.cnn.data.manifest import Manifest, ManifestError, pin
from scans.dicom.refusal import Refused


class Command(BaseCommand):
    help = "Describe a data set and say what would leak between its splits."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder in one of the known layouts")
        parser.add_argument("--out", type=Path, required=True, help="the report, one HTML file")
        parser.add_argument("--strict", action="store_true", help="end with 1 if something leaks")
        parser.add_argument(
            "--manifest", type=Path, help="pin the files in this JSON file, or check them against it"
        )
        parser.add_argument("--seed", type=int, default=0, help="of the splits that a new manifest draws")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            data = catalogue(options["data"])
            if not data.items:
                raise CommandError(f"{options['data']} holds nothing to look at.")
            if options["manifest"] is not None:
                self._pin(data, options["manifest"], options["seed"])
        except (Refused, FileNotFoundError, ManifestError) as error:
            raise CommandError(getattr(error, "sentence", str(error))) from error
        found = leakage(data)
        options["out"].parent.mkdir(parents=True, exist_ok=True)
        options["out"].write_text(report(data, found))
        for finding in found.findings:
            self.stdout.write(f"{finding.level + ':':<8}{finding.sentence}")
        self.stdout.write(f"Report: {options['out']}")
        if options["strict"] and found.leaks:
            sys.exit(1)

    def _pin(self, data: Catalogue, path: Path, seed: int) -> None:
        if path.exists():
            Manifest.load(path).verify(data.folder)
            self.stdout.write(f"Every file is as {path.name} pinned it.")
            return
        patients = {item.patient: item.split for item in data.items}
        made = pin(data.folder, data.layout, patients, seed=seed, leave_out=[path])
        made.save(path)
        self.stdout.write(f"{len(made.files)} files and {len(patients)} patients pinned in {path}.")
