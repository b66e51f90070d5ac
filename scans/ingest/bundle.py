"""Bytes on their way into the storage while the next file arrives."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

from django.core.files.storage import default_storage

from scans.durable import Written, drop, settle, write
from scans.storage import ContentStorage, Spooled, content_name

WRITERS = 8
"""Groups, or single objects of a bucket, that one process makes durable at a time."""

GROUP_FILES = 8
"""Files that share their syncs: more would leave the disk idle at first and the sender waiting at the end."""

MOST_UNDER_WAY_BYTES = 8 << 20
"""What one bundle has under way before the next file has to wait."""


class Bundle:
    """Stores spooled files under `folder`; each is durable once its future has a result.

    On the disk files are written at once, while they are in the processor's cache, and synced in groups.
    Into a bucket each goes by itself.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._group: list[tuple[Written, Future[None]]] = []
        self._under_way: list[tuple[Future[None], int]] = []

    def add(self, spooled: Spooled) -> Future[None]:
        """Take over the bytes of one file.

        Raises
        ------
        OSError : they could not be written.
        """
        if isinstance(default_storage, ContentStorage):
            durable = self._add_to_group(default_storage, spooled)
        else:
            durable = _writers().submit(_keep, spooled.handed_over(), self._folder)
        self._under_way.append((durable, spooled.size))
        self._wait_for_room()
        return durable

    def flush(self) -> None:
        """Settle what has been added; nothing of a group has a result before."""
        if self._group:
            _writers().submit(_settle, self._group)
        self._group = []

    def drop(self) -> None:
        """Forget what has been added since the last group: its sender has gone."""
        drop([written for written, _ in self._group])
        self._group = []

    def _add_to_group(self, storage: ContentStorage, spooled: Spooled) -> Future[None]:
        target = Path(storage.path(content_name(self._folder, spooled.sha256)))
        durable: Future[None] = Future()
        self._group.append((write(target, spooled.chunks()), durable))
        if len(self._group) >= GROUP_FILES:
            self.flush()
        return durable

    def _wait_for_room(self) -> None:
        while sum(size for _, size in self._under_way) > MOST_UNDER_WAY_BYTES:
            self.flush()
            self._under_way.pop(0)[0].exception()


def _keep(spooled: Spooled, folder: str) -> None:
    with spooled:
        spooled.keep(folder)


def _settle(group: Sequence[tuple[Written, Future[None]]]) -> None:
    for (_, durable), error in zip(group, _errors_of([written for written, _ in group]), strict=True):
        if error is None:
            durable.set_result(None)
        else:
            durable.set_exception(error)


def _errors_of(files: Sequence[Written]) -> Sequence[Exception | None]:
    try:
        return settle(files)
    except Exception as error:  # whatever it is, those who wait must hear of it
        return [error] * len(files)


@cache
def _writers() -> ThreadPoolExecutor:
    """Made at the first use, so that a forked web process has threads of its own."""
    return ThreadPoolExecutor(WRITERS, thread_name_prefix="storage")
