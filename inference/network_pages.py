"""Pages of the networks: what reads the scans, what is known of it, where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.safestring import mark_safe

from accounts.requests import PersonRequest
from core.pages import page
from inference import registry
from inference.cnn.cards import headline, rendered
from inference.cnn.naming import NETWORK_OF_TASK
from inference.models import Network

TASK_OF_NETWORK = {network: task for task, network in NETWORK_OF_TASK.items()}


def _task(row: Network) -> str:
    return TASK_OF_NETWORK.get(row.task, row.task)


def _facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The plain facts of a manifest, in words."""
    left_out = ("task", "file", "sha256", "version", "metrics", "training")
    plain = {k: v for k, v in manifest.items() if k not in left_out and not isinstance(v, Mapping)}
    return [
        (k.replace("_mm", " mm").replace("_hu", " HU").replace("_", " "), _said(v)) for k, v in plain.items()
    ]


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"({_said(one)})" if isinstance(one, list) else str(one) for one in value)
    return str(value)


@page()
def index(request: PersonRequest) -> HttpResponse:
    """Every network, those in force first; they belong to the installation, not to a site."""
    rows = [
        {"row": row, "task": _task(row), "figures": headline(row.task, row.metrics)}
        for row in registry.known()
    ]
    return render(request, "inference/networks.html", {"networks": rows})


@page()
def show(request: PersonRequest, pk: UUID) -> HttpResponse:
    """One network with its card."""
    row = get_object_or_404(Network, pk=pk)
    context = {
        "network": row,
        "task": _task(row),
        "figures": headline(row.task, row.metrics),
        "manifest": _facts(registry.manifest_of(row) or {}),
        "card": mark_safe(rendered(row.card)),  # noqa: S308 - the renderer escapes markup
    }
    return render(request, "inference/network.html", context)
