"""C-STORE over one association with dcmtk's storescu, as a scanner sends."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

CALLER = "BENCH"
LONGEST_PDU = 131072

STORESCU = shutil.which("storescu") or ""


def cstore_rate(port: int, called: str, files: Sequence[bytes]) -> float:
    """Instances a second, each acknowledged before the next is sent; the start of storescu is in it.

    Raises
    ------
    RuntimeError : not every instance was acknowledged with success.
    """
    with tempfile.TemporaryDirectory(prefix="cstore-") as folder:
        for number, content in enumerate(files):
            (Path(folder) / f"{number:06d}.dcm").write_bytes(content)
        title = ["-aet", CALLER, "-aec", called]
        command = [STORESCU, "-pdu", str(LONGEST_PDU), *title, "127.0.0.1", str(port), "+sd", folder]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"storescu failed: {done.stderr[-500:]}")
    return len(files) / took
