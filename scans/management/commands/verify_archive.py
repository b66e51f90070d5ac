"""Whether the archive still holds what its rows say, byte for byte."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from scans.verifying import verify


class Command(BaseCommand):
    help = (
        "Hash every stored object again and report as JSON what is missing or altered. --repair builds "
        "volumes anew and puts objects back from --copies; exit 1 while something is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sample", type=int, help="so many objects by chance instead of all")
        parser.add_argument("--repair", action="store_true")
        parser.add_argument("--copies", type=Path, help="a folder with copies, such as a backup or an export")
        parser.add_argument("--json", type=Path, help="write the report here as well")

    def handle(self, *args: Any, **options: Any) -> None:
        copies = options["copies"]
        if copies is not None and not copies.is_dir():
            raise CommandError(f"There is no folder {copies}.")
        report = verify(options["sample"], repair=options["repair"], copies=copies)
        text = json.dumps(report.to_json(), indent=1)
        self.stdout.write(text)
        if options["json"]:
            options["json"].write_text(text)
        if report.wrong:
            raise CommandError(f"{len(report.wrong)} objects are missing or altered.", returncode=1)
