"""Reads docker-compose.yml for deploy/check: checks its plan, prints the command of a service for a shell."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

COMPOSE = Path(__file__).resolve().parent.parent / "docker-compose.yml"
EXPECTED = {
    "postgres", "redis", "migrate", "web", "dicom", "ingest", "gpu-worker", "cpu-worker", "beat", "proxy",
}  # fmt: skip
KNOWN_KEYS = {
    "build", "cap_drop", "command", "depends_on", "deploy", "environment", "healthcheck", "image", "init",
    "networks", "ports", "profiles", "read_only", "restart", "security_opt", "shm_size", "stop_grace_period",
    "tmpfs", "volumes",
}  # fmt: skip


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def complaints() -> list[str]:
    """What Compose would refuse, or an operator would miss."""
    plan = services()
    found = [f"{name} is missing" for name in sorted(EXPECTED - plan.keys())]
    for name, service in plan.items():
        found += [f"{name}: {complaint}" for complaint in of_service(service, plan.keys())]
        if "healthcheck" not in service and name != "migrate":
            found.append(f"{name}: no health check")
    devices = plan["gpu-worker"]["deploy"]["resources"]["reservations"]["devices"]
    if ["gpu"] not in [device["capabilities"] for device in devices]:
        found.append("gpu-worker: no GPU is reserved")
    return found


def of_service(service: dict[str, Any], names: Collection[str]) -> list[str]:
    whole = yaml.safe_load(COMPOSE.read_text())
    sources = [mount.split(":")[0] for mount in service.get("volumes", [])]
    volumes = {source for source in sources if not source.startswith((".", "/", "$"))}
    unknown = {
        "key": service.keys() - KNOWN_KEYS,
        "service to wait for": service.get("depends_on", {}).keys() - set(names),
        "volume": volumes - whole["volumes"].keys(),
        "network": set(service.get("networks", [])) - whole["networks"].keys(),
    }
    return [f"unknown {kind} {thing}" for kind, things in unknown.items() for thing in sorted(things)]


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        found = complaints()
        print("\n".join(found) or "docker-compose.yml: the plan is sound")  # noqa: T201 - a command
        return bool(found)
    name, part = sys.argv[1:]
    service = services()[name]
    words = service["healthcheck"]["test"][1:] if part == "healthcheck" else service["command"]
    print(shlex.join(words).replace("$$", "$"))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
