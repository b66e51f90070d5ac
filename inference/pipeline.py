"""The pipeline that is in force: the shipped networks, known by their hashes, and the code around them."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction

from core.version import CODE_VERSION
from inference.cnn.networks import manifest, weights_hashes
from inference.models import Network, Pipeline

CARDS = Path(__file__).resolve().parent.parent / "docs" / "models"


@cache
def _manifests() -> dict[str, dict[str, Any]]:
    """Manifest of each shipped network by task; reads JSON only, no TensorFlow."""
    return {task: manifest(task) for task in weights_hashes()}


def pipeline_sha256() -> str:
    """One hash over all networks and thresholds."""
    text = json.dumps(_manifests(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def current_pipeline() -> Pipeline:
    """The row of the pipeline in force, made at its first use."""
    known = Pipeline.objects.filter(sha256=pipeline_sha256()).first()
    return known or _register()


@transaction.atomic
def _register() -> Pipeline:
    networks = [_network(task, manifest) for task, manifest in _manifests().items()]
    pipeline, _ = Pipeline.objects.get_or_create(sha256=pipeline_sha256(), defaults={"version": CODE_VERSION})
    pipeline.networks.set(networks)
    return pipeline


def _network(task: str, manifest: dict[str, Any]) -> Network:
    network, _ = Network.objects.get_or_create(
        sha256=manifest["sha256"],
        defaults={
            "task": task,
            "version": str(manifest.get("version", "1")),
            "card": _text(CARDS / f"{task}.md"),
            "metrics": json.loads(_text(CARDS / "metrics.json") or "{}"),
        },
    )
    return network


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
