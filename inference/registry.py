"""The registry of networks: which weights are in force, where they lie, and what is said of them.

The shipped weights are in force until others are registered. Registered weights are kept in the storage under
their sha256, with their manifest in the row; a worker copies them to its own disk and checks the hash again
at each load.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction

from core.audit import record
from core.models import AuditEntry
from core.problems import Conflict
from inference.cnn.naming import NETWORK_OF_TASK
from inference.cnn.networks import TASKS, WEIGHTS, load_networks, manifest
from inference.cnn.vetting import prove, sha256_of, vet
from inference.models import Network
from scans.storage import content_name, put

if TYPE_CHECKING:
    from inference.cnn.networks import LoadedNetworks

FOLDER = "networks"
MANIFEST = "manifest"
CARDS = Path(settings.BASE_DIR) / "docs" / "models"
# What new weights may say of themselves in their manifest; how they are fed is decided by the code.
OF_THE_WEIGHTS = frozenset(
    {"calibration", "threshold", "limits", "most_findings", "trained_on", "training", "licence"}
)


@dataclass(frozen=True)
class Candidate:
    """Weights that somebody wants to be registered."""

    network: str
    path: Path
    card: str
    version: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)


def shipped() -> dict[str, dict[str, Any]]:
    """Manifests that came with the code, by network; reads JSON only."""
    return {path.stem: manifest(path.stem) for path in sorted(WEIGHTS.glob("*.json"))}


def registered() -> dict[str, Network]:
    """Active rows of weights that did not come with the code, by network."""
    rows = Network.objects.filter(state=Network.State.ACTIVE, metrics__has_key=MANIFEST)
    return {row.task: row for row in rows.order_by("id")}


def manifests_in_force() -> dict[str, dict[str, Any]]:
    """Manifest of each network that reads scans."""
    ours = {network: manifest(network) for network in TASKS}
    return {**ours, **{n: row.metrics[MANIFEST] for n, row in registered().items() if n in ours}}


def register(wanted: Candidate) -> Network:
    """Check the weights, keep them with card and figures, and put them in force.

    The same file again is put in force again; that is also the way back to the shipped weights.

    Raises
    ------
    WeightsRefusedError : the file is no plain weights file of this network.
    Conflict : the network is not one of those that read scans, or the file belongs to another one.
    """
    if wanted.network not in TASKS:
        raise Conflict(
            "not_registered",
            f"The worker loads {wanted.network!r} as shipped; registered are {', '.join(TASKS)}.",
        )
    sha256 = vet(wanted.path)
    if sha256 in {told["sha256"] for told in shipped().values()}:
        row = _shipped_row(wanted.network, sha256)
    else:
        prove(wanted.network, wanted.path)
        row = Network.objects.filter(sha256=sha256).first() or _kept(wanted, sha256)
    return activate(row)


def _shipped_row(network: str, sha256: str) -> Network:
    row = next((one for one in shipped_rows() if one.sha256 == sha256), None)
    if row is None or row.task != network:
        raise Conflict("other_network", f"These are the shipped weights of another network than {network!r}.")
    return row


def _kept(wanted: Candidate, sha256: str) -> Network:
    with wanted.path.open("rb") as stream:
        put(FOLDER, stream)
    told = {k: v for k, v in wanted.told.items() if k in OF_THE_WEIGHTS}
    ending = ".keras" if wanted.path.name.endswith(".keras") else ".weights.h5"
    own = {"file": f"{wanted.network}{ending}", "sha256": sha256, "version": wanted.version}
    described = {**shipped()[wanted.network], "training": {}, **told, **own}
    return Network.objects.create(
        task=wanted.network,
        version=wanted.version,
        sha256=sha256,
        card=wanted.card,
        metrics={**wanted.metrics, MANIFEST: described},
        state=Network.State.RETIRED,
    )


def put_in_force(network: Network) -> Network:
    """Activate a network that this code can load.

    Raises
    ------
    Conflict : shipped weights of an earlier version; they are not there any more.
    """
    if manifest_of(network) is None:
        raise Conflict(
            "weights_gone", "These weights came with an earlier version and are not there any more."
        )
    return activate(network)


@transaction.atomic
def activate(network: Network) -> Network:
    """Put a network in force; whatever was in force for its task is retired."""
    rows = Network.objects.select_for_update().filter(task=network.task)
    rows.exclude(pk=network.pk).update(state=Network.State.RETIRED)
    rows.filter(pk=network.pk).update(state=Network.State.ACTIVE)
    network.refresh_from_db()
    record(AuditEntry.Action.CHANGE, network, fields=["state"])
    return network


def load_in_force() -> LoadedNetworks:
    """The networks in force, each loaded once per process and hash; imports TensorFlow."""
    return load_networks(instead={n: local_copy(row) for n, row in registered().items() if n in TASKS})


def local_copy(row: Network) -> Path:
    """Folder on this computer with manifest and weights of a registered network, filled at its first use."""
    folder = Path(settings.DATA) / FOLDER / row.sha256
    told = row.metrics[MANIFEST]
    weights = folder / told["file"]
    folder.mkdir(parents=True, exist_ok=True)
    if not weights.is_file() or sha256_of(weights) != row.sha256:
        with default_storage.open(content_name(FOLDER, row.sha256)) as stored:
            _place(weights, stored.read())
    # The hash that counts is the row's, whatever stands in a file beside the weights.
    _place(folder / f"{row.task}.json", json.dumps({**told, "sha256": row.sha256}).encode())
    return folder


def _place(path: Path, content: bytes) -> None:
    """Whole or not at all, also with several workers at once."""
    if path.is_file() and path.read_bytes() == content:
        return
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    os.replace(partial, path)


def shipped_rows() -> list[Network]:
    """A row for every network that came with the code, with the card as it is written now."""
    figures = json.loads(_text(CARDS / "metrics.json") or "{}")
    active, ours = registered(), shipped()
    hashes = [told["sha256"] for told in ours.values()]
    earlier = Network.objects.filter(state=Network.State.ACTIVE).exclude(sha256__in=hashes)
    earlier.exclude(metrics__has_key=MANIFEST).update(state=Network.State.RETIRED)
    rows = []
    for network, told in ours.items():
        said = {"card": _text(CARDS / f"{network}.md"), "metrics": figures}
        state = Network.State.RETIRED if network in active else Network.State.ACTIVE
        first = {**said, "task": network, "version": str(told.get("version", "1")), "state": state}
        row, new = Network.objects.get_or_create(sha256=told["sha256"], defaults=first)
        if not new and (row.card, row.metrics, row.state) != (said["card"], said["metrics"], state):
            row.card, row.metrics, row.state = said["card"], said["metrics"], state
            row.save(update_fields=["card", "metrics", "state"])
        rows.append(row)
    return rows


def manifest_of(row: Network) -> dict[str, Any] | None:
    """How a network is fed; None for shipped weights of an earlier version of the code."""
    told = row.metrics.get(MANIFEST)
    return told or next((one for one in shipped().values() if one["sha256"] == row.sha256), None)


def known() -> list[Network]:
    """Every network, those in force first, in the order of the reading."""
    shipped_rows()
    order = [*TASKS, *sorted(set(NETWORK_OF_TASK.values()) - set(TASKS))]
    rows = list(Network.objects.order_by("-id"))
    place = {network: number for number, network in enumerate(order)}
    return sorted(rows, key=lambda row: (row.state != Network.State.ACTIVE, place.get(row.task, 99)))


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
