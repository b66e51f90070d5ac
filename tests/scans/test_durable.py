"""Files that share their syncs: each keeps its own fate, and nothing is called durable before it is."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage

from scans import durable
from scans.durable import settle, write
from scans.ingest.bundle import GROUP_FILES, Bundle
from scans.storage import content_name, spool


def full_for(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """The sync of the file with this content fails for want of room."""
    fsync = os.fsync

    def fails(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").resolve().is_file():
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if path.read_bytes() == content:
                raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(durable.os, "fsync", fails)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_has_its_name_before_it_is_settled(tmp_path: Path) -> None:
    written = write(tmp_path / "deep" / "a", [b"one ", memoryview(b"two")])
    assert "a" not in files_in(tmp_path)

    assert settle([written]) == [None]
    assert files_in(tmp_path) == {"a": b"one two"}


def test_one_that_fails_leaves_nothing_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_for(monkeypatch, b"bad")
    written = [
        write(tmp_path / name, [content]) for name, content in (("a", b"a"), ("b", b"bad"), ("c", b"c"))
    ]
    first, failed, last = settle(written)

    assert (first, last) == (None, None)
    assert failed is not None
    assert failed.errno == errno.ENOSPC
    assert files_in(tmp_path) == {"a": b"a", "c": b"c"}


def test_a_folder_that_cannot_be_synced_makes_nobody_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(durable, "_sync_folder", fails)
    errors = settle([write(tmp_path / name, [b"x"]) for name in "ab"])

    assert [error.errno for error in errors if error is not None] == [errno.EIO, errno.EIO]


def test_what_is_there_is_made_young_and_not_written_again(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"there")
    os.utime(target, (1, 1))

    assert settle([write(target, [b"other"])]) == [None]
    assert target.read_bytes() == b"there"
    assert target.stat().st_mtime > 1


def test_a_write_that_is_cut_short_leaves_no_piece(tmp_path: Path) -> None:
    def chunks() -> Any:
        yield b"start"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        write(tmp_path / "a", chunks())
    assert files_in(tmp_path) == {}


def test_a_bundle_settles_full_groups_and_the_rest_when_asked() -> None:
    bundle = Bundle("instances")
    spooled = [spool([b"content", bytes([number])]) for number in range(GROUP_FILES + 1)]
    durables = [bundle.add(one) for one in spooled]

    for durable_one in durables[:-1]:
        durable_one.result(10)
    assert not durables[-1].done()
    bundle.flush()
    durables[-1].result(10)
    assert all(default_storage.exists(content_name("instances", one.sha256)) for one in spooled)


def test_large_files_do_not_wait_for_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scans.ingest.bundle.MOST_UNDER_WAY_BYTES", 10)
    bundle = Bundle("instances")

    assert bundle.add(spool([bytes(11)])).done()


def test_what_is_left_of_a_bundle_can_be_dropped() -> None:
    bundle = Bundle("instances")
    bundle.add(spool([b"content"]))
    bundle.drop()

    assert files_in(Path(default_storage.path(""))) == {}


def test_whatever_fails_those_who_wait_hear_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(files: Any) -> Any:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("scans.ingest.bundle.settle", fails)
    bundle = Bundle("instances")
    waiting = bundle.add(spool([b"content"]))
    bundle.flush()

    assert isinstance(waiting.exception(10), RuntimeError)
