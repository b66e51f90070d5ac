"""`bin/manage dicom_listener`: receives images by C-STORE from the registered peers of all sites."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from scans.dimse import tls
from scans.dimse.limits import Limits
from scans.dimse.listener import Listener


class Command(BaseCommand):
    help = "Receive images by C-STORE from the registered peers of all sites, until told to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for all")
        parser.add_argument("--port", type=int, default=11112)
        parser.add_argument(
            "--associations", type=int, default=Limits.associations, help="at most so many at once"
        )

    def handle(self, *args: Any, host: str, port: int, associations: int, **options: Any) -> None:
        title = settings.ENVIRONMENT.dicom.ae_title
        limits = Limits(associations=associations, connections=4 * associations)
        context = tls.for_listener()
        try:
            listener = Listener((host, port), ae_title=title, limits=limits, tls=context)
        except OSError as error:
            raise CommandError(
                f"Port {port} on {host} cannot be used ({error.strerror or error}). "
                "Choose another with --port."
            ) from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=listener.stop).start())
        secured = "TLS" if context else "no TLS"
        self.stdout.write(f"{title} listens on {host}:{listener.port} ({secured}).")
        self.stdout.flush()
        listener.serve()
