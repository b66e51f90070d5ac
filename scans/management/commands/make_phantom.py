"""`bin/manage make_phantom --out DIR`: a synthetic chest CT as DICOM, with its truth beside it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scans.dicom.phantom import demo_specs, make_phantom, write_dicom


class Command(BaseCommand):
    help = "Write synthetic chest CT studies as DICOM: the five of the demo, or one of them."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--out", required=True, type=Path, help="folder to write to; made if missing")
        parser.add_argument("--study", type=int, help="number of the demo study, from 1; all if left out")

    def handle(self, *args: Any, **options: Any) -> None:
        specs = list(enumerate(demo_specs(), start=1))
        if options["study"] is not None:
            specs = [(number, study) for number, study in specs if number == options["study"]]
        if not specs:
            raise CommandError("There is no demo study of that number.")
        for number, study in specs:
            folder = options["out"] / f"study-{number}"
            folder.mkdir(parents=True, exist_ok=True)
            files = write_dicom(make_phantom(study.phantom), folder, study)
            self.stdout.write(f"{folder}: {len(files)} images and truth.json")
