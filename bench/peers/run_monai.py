"""Runs MONAI's detector in an environment that is made for it once, and kept."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
INSTALL_S, RUN_S = 1800, 2400


def environment(place: Path) -> Path | None:
    """The interpreter of an environment with MONAI and torch (5 GB); None where they cannot be installed."""
    python, done = place / "bin" / "python", place / "installed.txt"
    if done.is_file() and done.read_text() == REQUIREMENTS.read_text():
        return python
    print("installing MONAI and torch (about 5 GB, once) ...", file=sys.stderr, flush=True)
    venv.create(place, with_pip=True, clear=True)
    command = [python, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS]
    try:
        subprocess.run(command, check=True, timeout=INSTALL_S, stdout=subprocess.DEVNULL)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"MONAI cannot be installed here: {error}", file=sys.stderr)
        return None
    done.write_text(REQUIREMENTS.read_text())
    return python


def run(place: Path, volume: Path) -> dict[str, Any] | None:
    """Figures of the detector over a volume; None where it cannot run, with the reason on stderr."""
    python = environment(place)
    if python is None:
        return None
    command = [python, "-W", "ignore", HERE / "monai_detector.py", volume]
    try:
        done = subprocess.run(command, check=True, timeout=RUN_S, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        print(f"MONAI's detector failed: {error.stderr[-1000:]}", file=sys.stderr)
        return None
    except subprocess.TimeoutExpired:
        print(f"MONAI's detector took more than {RUN_S} s.", file=sys.stderr)
        return None
    return dict(json.loads(done.stdout.splitlines()[-1]))
