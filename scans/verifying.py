"""Every stored object is hashed again; what can be repaired is.

An original that is lost comes back only from a copy with the same hash: nothing else is the original.
A volume is derived and can be built again from its instances.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from django.core.files.storage import default_storage

from scans.ingest.arrivals import INSTANCES
from scans.models import Instance, Quarantined, Volume
from scans.series_volumes import check_series
from scans.storage import CHUNK, content_name, spool

FETCHED = 2000


@dataclass
class Verification:
    """What was looked at and what was found; names of files in the storage, no patient data."""

    checked: int = 0
    size: int = 0
    missing: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """What is missing or altered and could not be repaired."""
        return sorted({*self.missing, *self.altered} - set(self.repaired))

    def to_json(self) -> dict[str, Any]:
        return {
            "checked": self.checked,
            "bytes": self.size,
            "missing": self.missing,
            "altered": self.altered,
            "repaired": self.repaired,
            "wrong": self.wrong,
        }


def verify(sample: int | None = None, *, repair: bool = False, copies: Path | None = None) -> Verification:
    """Hash the originals (all, or a sample by chance), quarantined ones and the volumes."""
    report = Verification()
    for sha256 in _hashes(sample):
        _look_at(report, content_name(INSTANCES, sha256), sha256)
    if repair and copies is not None:
        _put_back(report, copies)
    for volume in Volume.objects.order_by("?")[:sample] if sample else Volume.objects.iterator(FETCHED):
        before = len(report.wrong)
        _look_at(report, volume.file, volume.file.rsplit("/", 1)[-1])
        if repair and len(report.wrong) > before:
            _build_again(report, volume)
    return report


def _hashes(sample: int | None) -> Iterator[str]:
    stored = Instance.objects.order_by().values_list("sha256", flat=True).distinct()
    if sample:
        yield from Instance.objects.order_by("?").values_list("sha256", flat=True)[:sample]
        return
    yield from stored.iterator(FETCHED)
    kept = Quarantined.objects.exclude(decision=Quarantined.Decision.REJECT).order_by()
    aside = kept.exclude(sha256__in=Instance.objects.values("sha256"))
    yield from aside.values_list("sha256", flat=True).distinct().iterator(FETCHED)


def _look_at(report: Verification, name: str, sha256: str) -> None:
    report.checked += 1
    try:
        with default_storage.open(name, "rb") as file:
            found, size = _hash(file)  # type: ignore[arg-type]
    except FileNotFoundError:
        report.missing.append(name)
        return
    report.size += size
    if found != sha256:
        report.altered.append(name)


def _hash(file: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _put_back(report: Verification, copies: Path) -> None:
    """Files of the folder whose hash is that of a lost original take its place."""
    wanted = {name.rsplit("/", 1)[-1]: name for name in report.wrong}
    for path in copies.rglob("*"):
        if not wanted:
            return
        if not path.is_file():
            continue
        with path.open("rb") as file, spool(iter(lambda: file.read(CHUNK), b"")) as spooled:
            name = wanted.pop(spooled.sha256, None)
            if name is not None:
                default_storage.delete(name)
                spooled.keep(INSTANCES)
                report.repaired.append(name)


def _build_again(report: Verification, volume: Volume) -> None:
    """Only the very same voxels take the place of a lost volume: readings and findings stand on them."""
    default_storage.delete(volume.file)
    lost = volume.file
    check_series(volume.series, list(volume.series.instances.in_slice_order()))
    volume.refresh_from_db()
    if default_storage.exists(volume.file):
        report.repaired.append(lost)
