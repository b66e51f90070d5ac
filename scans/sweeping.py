"""Files that no row names: removed once they are so old that no sender is about to name them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.core.files.storage import default_storage
from django.utils import timezone

from scans.ingest.arrivals import INSTANCES
from scans.models import Instance, Quarantined, Volume
from scans.storage import ContentStorage
from scans.volumes import VOLUMES

OLD_ENOUGH = timedelta(days=1)
"""A sender writes the bytes first and the row after; touching known bytes makes them young again."""

_CONTENT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Orphan:
    """A file that no row names."""

    name: str
    size: int


def orphans(older_than: timedelta = OLD_ENOUGH) -> Iterator[Orphan]:
    """Files of instances and volumes that no row names, and pieces of writes that were cut short."""
    for kind in (INSTANCES, VOLUMES):
        for name in _names_under(kind):
            if _is_old(name, older_than) and not _named([name]):
                yield Orphan(name, default_storage.size(name))


def drop_unreferenced(names: Iterable[str], older_than: timedelta = OLD_ENOUGH) -> int:
    """Remove those of these files that no row names; returns how many went."""
    return sum(_drop(name, older_than) for name in set(names) - _named(list(set(names))))


def _named(names: Sequence[str]) -> set[str]:
    """Of these files those that a row names. What was rejected in quarantine is named no more."""
    by_hash = {name.rsplit("/", 1)[-1]: name for name in names if name.startswith(f"{INSTANCES}/")}
    kept = set(Instance.objects.filter(sha256__in=by_hash).values_list("sha256", flat=True))
    rejected = Quarantined.Decision.REJECT
    kept |= set(
        Quarantined.objects.filter(sha256__in=by_hash)
        .exclude(decision=rejected)
        .values_list("sha256", flat=True)
    )
    volumes = [name for name in names if name.startswith(f"{VOLUMES}/")]
    found = set(Volume.objects.filter(file__in=volumes).values_list("file", flat=True)) if volumes else set()
    return {by_hash[sha256] for sha256 in kept} | found


def _drop(name: str, older_than: timedelta) -> bool:
    if not _is_old(name, older_than):
        return False
    if not isinstance(default_storage, ContentStorage):
        default_storage.delete(name)
        return True
    return _drop_file(Path(default_storage.path(name)), older_than)


def _drop_file(path: Path, older_than: timedelta) -> bool:
    """Put the file out of reach, look again, then remove it.

    A sender who found it there before has touched it, so it is young again and goes back; one who comes after
    does not find it and writes it anew.
    """
    aside = path.with_name(f".leaving-{path.name}")
    with suppress(FileNotFoundError):
        os.replace(path, aside)
        if time.time() - aside.stat().st_mtime < older_than.total_seconds():
            os.replace(aside, path)
            return False
        aside.unlink()
        return True
    return False


def _is_old(name: str, older_than: timedelta) -> bool:
    try:
        return default_storage.get_modified_time(name) < timezone.now() - older_than
    except (FileNotFoundError, OSError):
        return False


def _names_under(folder: str) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for file in files:
        if _CONTENT.match(file) or file.startswith((".partial-", ".leaving-")):
            yield f"{folder}/{file}"
    for inner in folders:
        yield from _names_under(f"{folder}/{inner}")
