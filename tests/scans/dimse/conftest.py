"""A listener in this process, and callers that speak to it: pynetdicom and dcmtk."""

from __future__ import annotations

import io
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from accounts.models import Site
    from scans.dimse.listener import Listener
    from scans.models import Peer

SCANNER = "CTSCAN1"


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


@pytest.fixture
def in_parallel() -> Callable[..., list[Any]]:
    """Runs a function in threads, with the number of each, and returns what they return."""

    def run(work: Callable[[int], Any], times: int) -> list[Any]:
        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(work, range(times)))

    return run


def call(
    listener: Listener,
    title: str = SCANNER,
    *,
    classes: Sequence[str] = (CTImageStorage,),
    syntaxes: Sequence[str] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    **more: Any,
) -> Association:
    """An association with a listener, established or rejected."""
    entity = AE(title)
    entity.acse_timeout = entity.dimse_timeout = 20
    entity.add_requested_context(Verification)
    for sop_class in classes:
        entity.add_requested_context(sop_class, list(syntaxes))
    return entity.associate("127.0.0.1", listener.port, ae_title="LUNGPORTAL", **more)


def send(association: Association, content: bytes) -> Any:
    """Send one file by C-STORE; returns the status data set."""
    return association.send_c_store(pydicom.dcmread(io.BytesIO(content)))


def converse(association: Association, request: C_STORE) -> Any:
    """Send a request that pynetdicom would not make, and wait for its answer."""
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.01)
    context = next(c for c in association.accepted_contexts if c.abstract_syntax != Verification)
    association.dimse.send_msg(request, context.context_id or 0)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return answer


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


def wait_for(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something holds; fail if it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
