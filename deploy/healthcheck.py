"""Whether the process of this container does its work: `healthcheck.py web | worker QUEUE | beat | dicom`."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from pathlib import Path

BEAT_SILENCE_S = 600  # beat writes its schedule to disk every three minutes


def web() -> bool:
    host, port = os.environ.get("LUNGPORTAL_BIND", "127.0.0.1:8000").rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    # A host that the portal is told to answer for.
    name = os.environ["LUNGPORTAL_ALLOWED_HOSTS"].split(",")[0].strip()
    connection.request("GET", "/healthz", headers={"Host": name})
    return connection.getresponse().status == 200


def worker(queue: str) -> bool:
    from lungportal.celery import app  # noqa: PLC0415 - only this check pays for Django

    name = f"{queue}@{socket.gethostname()}"
    return bool(app.control.ping(destination=[name], timeout=10))


def beat() -> bool:
    """Beat's schedule is a dbm file, whose ending depends on the library that Python was built with."""
    written = [f.stat().st_mtime for f in (Path(os.environ["LUNGPORTAL_DATA"]) / "beat").glob("schedule*")]
    return bool(written) and time.time() - max(written) < BEAT_SILENCE_S


def dicom() -> bool:
    """The listener takes connections; it would reject an association of ours."""
    with socket.create_connection(("127.0.0.1", 11112), timeout=5):
        return True


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    match sys.argv[1:]:
        case ["web"]:
            return not web()
        case ["worker", queue]:
            return not worker(queue)
        case ["beat"]:
            return not beat()
        case ["dicom"]:
            return not dicom()
    print(__doc__, file=sys.stderr)  # noqa: T201 - a command
    return 2


if __name__ == "__main__":
    sys.exit(main())
