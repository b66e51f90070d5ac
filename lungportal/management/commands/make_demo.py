"""`bin/manage make_demo`: accounts and synthetic studies for a first look."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from lungportal.runtime import demo


class Command(BaseCommand):
    help = "Make the demo: a site with four accounts, and five synthetic chest CT studies sent by STOW-RS."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--accounts-only", action="store_true", help="make the accounts, send no study")
        parser.add_argument("--studies", action="store_true", help="send the studies, the accounts are there")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the portal answers")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["studies"]:
            demo.make_accounts(Path(settings.DATA) / "demo-accounts.json")
        if options["accounts_only"]:
            return
        try:
            demo.send_studies(options["url"], self.stdout.write)
        except (demo.SendFailed, OSError) as error:
            raise CommandError(f"The demo could not be sent: {error}") from error
