"""The pipeline: the networks that read, known by their hashes, and the code around them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from core.version import CODE_VERSION
from inference import registry
from inference.models import Network, Pipeline

Manifests = Mapping[str, Mapping[str, Any]]


def pipeline_sha256(manifests: Manifests) -> str:
    """One hash over all networks and thresholds."""
    return hashlib.sha256(json.dumps(manifests, sort_keys=True).encode()).hexdigest()


def current_pipeline() -> Pipeline:
    """The row of the pipeline in force, made at its first use."""
    return _row(registry.manifests_in_force())


def pipeline_of(manifests: Manifests) -> Pipeline:
    """The row of the networks that made a reading; others may have come into force meanwhile."""
    return _row(manifests)


def _row(manifests: Manifests) -> Pipeline:
    known = Pipeline.objects.filter(sha256=pipeline_sha256(manifests)).first()
    return known or _registered(manifests)


@transaction.atomic
def _registered(manifests: Manifests) -> Pipeline:
    registry.shipped_rows()
    networks = Network.objects.filter(sha256__in=[told["sha256"] for told in manifests.values()])
    pipeline, _ = Pipeline.objects.get_or_create(
        sha256=pipeline_sha256(manifests), defaults={"version": CODE_VERSION}
    )
    pipeline.networks.set(networks)
    return pipeline
