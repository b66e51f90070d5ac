"""Files that no row names: listed, and removed when asked."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from scans.sweeping import drop_unreferenced, orphans


class Command(BaseCommand):
    help = "List files of the storage that no row names and that are older than a day; --delete removes them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--delete", action="store_true", help="remove them; without it nothing changes")
        parser.add_argument("--older-than-hours", type=float, default=24.0)

    def handle(self, *args: Any, **options: Any) -> None:
        age = timedelta(hours=options["older_than_hours"])
        found = list(orphans(age))
        for orphan in found:
            self.stdout.write(f"{orphan.name} {orphan.size}")
        size = sum(orphan.size for orphan in found)
        removed = drop_unreferenced([one.name for one in found], age) if options["delete"] else 0
        self.stdout.write(f"{len(found)} orphans, {size} bytes, {removed} removed")
