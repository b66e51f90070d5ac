"""`bin/test`: everything that proves the project, in named stages.

bin/test              all of it
bin/test --fast       for daily work: no networks, no stack, no browser, no real scans
bin/test --only NAME  one stage (pre-commit does this)
bin/test -k NAME      only the tests with this in their name
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
ROOMS = ["core", "accounts", "patients", "scans", "inference", "reports", "lungportal", "manage.py"]
NOTHING_COLLECTED = 5
SLOW = ("networks", "stack", "journey")


@dataclass(frozen=True)
class Stage:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    aloud: bool = False
    """Show the output as it comes, not only on failure."""


@dataclass(frozen=True)
class Outcome:
    stage: Stage
    verdict: str
    seconds: float

    @property
    def good(self) -> bool:
        return self.verdict != "FAILED"


def production_environment() -> dict[str, str]:
    """Values that a careful operator would set, for `check --deploy`."""
    data = Path(tempfile.gettempdir()) / f"lungportal-proof-{os.geteuid()}"
    (data / "tmp").mkdir(parents=True, exist_ok=True)  # Django's check wants to see it
    return {
        "LUNGPORTAL_ENV": "production",
        "LUNGPORTAL_DATA": str(data),
        "LUNGPORTAL_SECRET_KEY": secrets.token_urlsafe(60),
        "LUNGPORTAL_ALLOWED_HOSTS": "portal.example.org",
        "LUNGPORTAL_CSRF_ORIGINS": "https://portal.example.org",
        "DATABASE_URL": "postgresql://lungportal@database/lungportal",
        "REDIS_URL": "redis://broker/0",
        "STORAGE_URL": "file:///data/storage",
    }


def static_stages() -> list[Stage]:
    python = sys.executable
    manage = [python, str(ROOT / "manage.py")]
    return [
        Stage("format", [str(BIN / "ruff"), "format", "--check", "."]),
        Stage("lint", [str(BIN / "ruff"), "check", "."]),
        Stage("house", [python, "-m", "lungportal.runtime.house_lint"]),
        Stage("types", [str(BIN / "mypy"), *ROOMS]),
        Stage("imports", [str(BIN / "lint-imports")]),
        Stage("migrations", [*manage, "makemigrations", "--check", "--dry-run"], {"LUNGPORTAL_ENV": "test"}),
        Stage("deploy", [*manage, "check", "--deploy", "--fail-level", "WARNING"], production_environment()),
    ]


def pytest_stages(fast: bool) -> list[Stage]:
    pytest = [sys.executable, "-m", "pytest", "--durations=5"]
    left_out = (*SLOW, "shared") if fast else SLOW
    unit = Stage("unit", [*pytest, "-q", "-n", "2", "-m", f"not {' and not '.join(left_out)}"], aloud=True)
    if fast:
        return [unit]
    return [
        unit,
        Stage("networks", [*pytest, "-m", "networks and not stack and not journey"], aloud=True),
        Stage("stack", [*pytest, "-m", "stack and not journey"], aloud=True),
        Stage("journey", [*pytest, "-m", "journey"], aloud=True),
    ]


def run(stage: Stage) -> Outcome:
    print(f"\n=== {stage.name}", flush=True)
    began = time.monotonic()
    done = subprocess.run(
        list(stage.command), cwd=ROOT, env={**os.environ, **stage.environment}, stdin=subprocess.DEVNULL,
        stdout=None if stage.aloud else subprocess.PIPE, stderr=None if stage.aloud else subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    nothing = stage.aloud and done.returncode == NOTHING_COLLECTED
    verdict = "no tests" if nothing else "FAILED" if done.returncode else "ok"
    if not stage.aloud and done.returncode:
        print(done.stdout, flush=True)
    outcome = Outcome(stage, verdict, time.monotonic() - began)
    print(f"=== {stage.name}: {verdict} ({outcome.seconds:.1f} s)", flush=True)
    return outcome


def _chosen(options: argparse.Namespace, more: list[str]) -> list[Stage]:
    if options.k is not None:
        return [Stage("named", [sys.executable, "-m", "pytest", "-k", options.k, *more], aloud=True)]
    stages = static_stages() + pytest_stages(options.fast)
    if options.only is None:
        return stages
    chosen = [stage for stage in stages if stage.name == options.only]
    if not chosen:
        raise SystemExit(f"There is no stage {options.only!r}; stages: {', '.join(s.name for s in stages)}")
    return chosen


def _shared_folder() -> Path:
    return Path(os.environ.get("LUNGPORTAL_SHARED") or ROOT.parent / "shared")


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/test", description="Prove the project.")
    parser.add_argument(
        "--fast", action="store_true", help="no networks, no stack, no browser, no real scans"
    )
    parser.add_argument("--only", help="one stage by its name")
    parser.add_argument("-k", metavar="NAME", help="only tests with this in their name")
    options, more = parser.parse_known_args()
    stages = _chosen(options, more)
    if not _shared_folder().is_dir():
        print(f"NOTE: there is no {_shared_folder()}; tests on real scans are skipped, and say so.")
    outcomes = [run(stage) for stage in stages]
    print("\nStage        verdict    seconds")
    for outcome in outcomes:
        print(f"{outcome.stage.name:<12} {outcome.verdict:<10} {outcome.seconds:7.1f}")
    good = all(outcome.good for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    print(f"{'All good' if good else 'NOT GOOD'}, {seconds:.0f} s", flush=True)
    return not good


if __name__ == "__main__":
    sys.exit(main())
