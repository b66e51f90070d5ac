"""lungportal-send is installed as a package into an environment of its own, and runs there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import REPOSITORY

UV = shutil.which("uv") or str(REPOSITORY / ".venv-tools/bin/uv")
BACKEND = importlib.util.find_spec("setuptools")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Only the build backend is lent, which pip would fetch; what is installed then runs without it."""
    if BACKEND is None or BACKEND.origin is None or not Path(UV).exists():
        pytest.skip("uv or setuptools is missing: the client is not installed here")
    lent = Path(BACKEND.origin).parents[1]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(lent), "UV_CACHE_DIR": str(tmp_path / "cache")}


def test_the_client_is_installed_and_says_how_it_is_used(tmp_path: Path, environment: dict[str, str]) -> None:
    source, place = tmp_path / "client", tmp_path / "venv"
    litter = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(REPOSITORY / "client", source, ignore=litter)

    def run(*command: str | Path, **more: str) -> str:
        done = subprocess.run(
            command, env={**environment, **more}, cwd=tmp_path,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(UV, "venv", "--quiet", "--offline", "--python", sys.executable, place)
    run(UV, "pip", "install", "--quiet", "--offline", "--no-build-isolation",
        "--python", place / "bin/python", source)  # fmt: skip

    assert "--wait-at-most" in run(place / "bin/lungportal-send", "--help", PYTHONPATH="")
    assert "lungportal-send" in run(UV, "pip", "list", "--python", place / "bin/python")
    typed = "import lungportal_send, pathlib; print(pathlib.Path(lungportal_send.__file__).parent)"
    installed = Path(run(place / "bin/python", "-c", typed, PYTHONPATH="").strip())
    assert (installed / "py.typed").exists()
    assert place in installed.parents
