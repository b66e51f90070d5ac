"""`bin/manage register_peer AE_TITLE --site CODE`: a DICOM node that the listener lets in."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Site
from scans.models import Peer


class Command(BaseCommand):
    help = (
        "Register a DICOM node of a site, as the admin console does; repeat it to change what is registered."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ae_title")
        parser.add_argument("--site", required=True, help="code of the site")
        parser.add_argument("--name", default="")
        parser.add_argument("--host", default="", help="address it calls from; without it: any")
        parser.add_argument("--port", type=int, help="where it listens")
        parser.add_argument("--results", action="store_true", help="it receives results")

    def handle(self, *args: Any, **options: Any) -> None:
        site = Site.objects.filter(code=options["site"]).first()
        if site is None:
            raise CommandError(f"There is no site with the code {options['site']}.")
        known = Peer.objects.filter(site=site, ae_title=options["ae_title"], host=options["host"])
        peer = known.first() or Peer(site=site, ae_title=options["ae_title"], host=options["host"])
        peer.name = options["name"] or peer.name or options["ae_title"]
        peer.port, peer.receives_results, peer.active = options["port"], options["results"], True
        try:
            peer.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        peer.save()
        self.stdout.write(f"{peer} is registered at {site.name}.")
