"""A whole portal, started with bin/up as a person would, for tests from outside."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE_S = 300


@dataclass(frozen=True)
class Portal:
    """Where a running portal is, and who may sign in."""

    base_url: str
    data: Path
    accounts: dict[str, str]

    def manage(self, *command: str) -> str:
        """Run one of the project's commands against this portal."""
        done = subprocess.run(
            [REPOSITORY / "bin/manage", *command],
            env={**plain_environment(), "LUNGPORTAL_DATA": str(self.data)},
            capture_output=True, text=True, check=True, timeout=PATIENCE_S,
        )  # fmt: skip
        return done.stdout

    def token(self, who: str) -> str:
        return self.manage("create_token", f"{who}@demo.local").splitlines()[-1]

    def processes(self) -> dict[str, int]:
        """Process ids of what the supervisor runs."""
        state = json.loads((self.data / "state.json").read_text())
        return {name: entry["pid"] for name, entry in state["processes"].items() if entry.get("pid")}

    @property
    def dicom_port(self) -> int:
        """Where the DICOM listener is."""
        return int(json.loads((self.data / "state.json").read_text())["dicom_port"])

    def get(self, path: str, token: str) -> Any:
        answer = requests.get(
            f"{self.base_url}{path}", headers={"Authorization": f"Token {token}"}, timeout=60
        )
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, token: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Token {token}", **more.pop("headers", {})}
        return requests.post(f"{self.base_url}{path}", headers=headers, timeout=300, **more)

    def stow(self, files: list[bytes], token: str) -> list[int]:
        """Send DICOM files by STOW-RS in batches; returns the status of each batch."""
        return [self._stow(files[k : k + 50], token) for k in range(0, len(files), 50)]

    def _stow(self, files: list[bytes], token: str) -> int:
        mark = uuid.uuid4().hex
        parts = [f"--{mark}\r\nContent-Type: application/dicom\r\n\r\n".encode() + f + b"\r\n" for f in files]
        kind = f'multipart/related; type="application/dicom"; boundary={mark}'
        body = b"".join(parts) + f"--{mark}--\r\n".encode()
        return self.post("/dicomweb/studies", token, data=body, headers={"Content-Type": kind}).status_code

    def study(self, uid: str, token: str) -> dict[str, Any]:
        rows = self.get(f"/api/v1/studies/?study_instance_uid={uid}", token)["results"]
        return dict(rows[0]) if rows else {}

    def wait(self, uid: str, token: str, *states: str, seconds: float = PATIENCE_S) -> dict[str, Any]:
        """Wait until the study is in one of these states."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            study = self.study(uid, token)
            if study.get("status") in states:
                return study
            time.sleep(0.3)
        raise AssertionError(f"after {seconds} s the study is {self.study(uid, token)}")


@contextmanager
def portal(*options: str, **environment: str) -> Iterator[Portal]:
    """Start a portal on a fresh data folder; stopped, and nothing left, after the block."""
    with tempfile.TemporaryDirectory(prefix="lungportal-live-") as folder:
        Path(folder).chmod(0o755)
        data, port, dicom = Path(folder) / "data", free_port(), free_port()
        ports = ("--port", str(port), "--dicom-port", str(dicom))
        _up("--detach", "--no-demo", *ports, "--data", str(data), *options, **environment)
        try:
            running = Portal(f"http://127.0.0.1:{port}", data, {})
            running.manage("make_demo", "--accounts-only")
            running.accounts.update(json.loads((data / "demo-accounts.json").read_text()))
            yield running
        finally:
            _up("--stop", "--data", str(data))


def _up(*options: str, **environment: str) -> None:
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run(
            [REPOSITORY / "bin/up", *options], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env={**plain_environment(), **environment}, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        log.seek(0)
        assert done.returncode == 0, log.read()[-2000:]


def plain_environment() -> dict[str, str]:
    """The environment without what this test run has set for its own database."""
    ours = ("DATABASE_URL", "REDIS_URL", "STORAGE_URL", "DJANGO_SETTINGS_MODULE")
    return {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("LUNGPORTAL_")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
