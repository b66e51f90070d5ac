"""A listener in this process, and callers that speak to it: pynetdicom and dcmtk."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from accounts.models import Site
    from scans.dimse.listener import Listener
    from scans.models import Peer

SCANNER = "CTSCAN1"


@pytest.fixture
def site(transactional_db: None) -> Site:
    """Committed for all to see: the listener answers in threads with connections of their own."""
    from tests.factories import SiteFactory

    return SiteFactory(code="north", name="North Clinic")


@pytest.fixture
def scanner(site: Site) -> Peer:
    from scans.models import Peer

    return Peer.objects.create(site=site, name="Scanner 1", ae_title=SCANNER, host="127.0.0.1")


@pytest.fixture
def listening(transactional_db: None) -> Iterator[Callable[..., Listener]]:
    """Starts listeners, with bounds or TLS of one's own, and stops them at the end."""
    from scans.dimse.limits import Limits
    from scans.dimse.listener import Listener

    started: list[tuple[Listener, threading.Thread]] = []

    def start(tls: ssl.SSLContext | None = None, **limits: Any) -> Listener:
        listener = Listener(("127.0.0.1", 0), limits=Limits(**limits), tls=tls)
        thread = threading.Thread(target=listener.serve)
        thread.start()
        started.append((listener, thread))
        return listener

    yield start
    for listener, thread in started:
        listener.stop()
        thread.join(10)


@pytest.fixture
def listener(listening: Callable[..., Listener]) -> Listener:
    return listening()


def dcmtk(name: str, *arguments: str | Path | int) -> subprocess.CompletedProcess[str]:
    """Run one of dcmtk's programs; the test is skipped where dcmtk is not installed."""
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} of dcmtk is not installed (apt install dcmtk)")
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def files_in(folder: Path, contents: list[bytes]) -> list[Path]:
    """Each content as a file of a folder."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:05d}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths
