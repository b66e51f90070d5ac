"""Orthanc as Debian packs it, durable as we are, on a folder of its own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("Orthanc") or ("/usr/sbin/Orthanc" if Path("/usr/sbin/Orthanc").exists() else "")
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True)
class Orthanc:
    http_port: int
    dicom_port: int
    has_stow: bool


@contextmanager
def orthanc(**options: Any) -> Iterator[Orthanc | None]:
    """A running Orthanc with synced storage; None where it is not installed."""
    if not PROGRAM:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="orthanc-") as folder:
        ours = Orthanc(_free_port(), _free_port(), DICOMWEB.exists())
        configuration = Path(folder) / "orthanc.json"
        configuration.write_text(json.dumps({**_settings(Path(folder), ours), **options}))
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen([PROGRAM, str(configuration)], stdout=log, stderr=log)
        try:
            _wait(ours.http_port)
            yield ours
        finally:
            process.terminate()
            process.wait(30)


def _settings(folder: Path, ours: Orthanc) -> dict[str, Any]:
    return {
        "Name": "bench",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "Plugins": [str(DICOMWEB)] if ours.has_stow else [],
        "DicomWeb": {"Enable": True},
        "HttpPort": ours.http_port,
        "DicomPort": ours.dicom_port,
        "DicomAet": "ORTHANC",
        "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False,
        "DicomAlwaysAllowStore": True,
        "SyncStorageArea": True,
        "StorageCompression": False,
        "OverwriteInstances": False,
    }


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/system", timeout=2).read()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError("Orthanc did not answer within 30 s.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
