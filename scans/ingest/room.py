"""Whether there is room for what is sent: on the disk, and in the quota of the site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Sum

from scans import limits
from scans.ingest.arrivals import Refusal
from scans.models import Series, StorageQuota
from scans.storage import StorageFull, free_bytes

if TYPE_CHECKING:
    from accounts.models import Site

DISK_FULL = "STORAGE_FULL"
QUOTA_FULL = "QUOTA"
FULL = frozenset({DISK_FULL, QUOTA_FULL})

NO_SPACE = Refusal(
    DISK_FULL, "The storage is full: the file was not kept. Tell the administrator, send it again."
)
OVER_QUOTA = Refusal(
    QUOTA_FULL,
    "The quota of the site is used up: the file was not kept. Tell the administrator, send it again.",
)


@dataclass
class Room:
    """What is left of the quota of a site; None where it has none."""

    left_bytes: int | None

    def has(self, size: int) -> bool:
        return self.left_bytes is None or size <= self.left_bytes

    def take(self, size: int) -> None:
        if self.left_bytes is not None:
            self.left_bytes -= size


def room_at(site: Site, announced_bytes: int = 0) -> Room:
    """The room that a site has before anything is written.

    Senders at the same moment each see what is left: a quota may be passed by what they have under way.

    Raises
    ------
    StorageFull : the disk or the quota has no room, or not for as much as is announced.
    """
    free = free_bytes()
    if free is not None and free < limits.LEAST_FREE_BYTES + announced_bytes:
        sentence = "The storage is full: nothing was taken. Tell the administrator, then send again."
        raise StorageFull("storage_full", sentence)
    left = _left_of_quota(site)
    if left is not None and left < max(announced_bytes, 1):
        sentence = (
            "The quota of the site is used up: nothing was taken. Tell the administrator, then send again."
        )
        raise StorageFull("quota_used_up", sentence)
    return Room(left)


def used_bytes(site: Site) -> int:
    """What the stored instances of a site take."""
    return Series.objects.filter(site=site).aggregate(used=Sum("size_bytes"))["used"] or 0


def _left_of_quota(site: Site) -> int | None:
    quota = StorageQuota.objects.filter(site=site).first()
    return None if quota is None else quota.limit_bytes - used_bytes(site)
