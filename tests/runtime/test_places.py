"""Sockets are short enough for the kernel, and the database lies where its user can reach it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lungportal.runtime import places as module
from lungportal.runtime.places import POSTGRES_SOCKET, Places, open_to_all
from lungportal.settings.environment import DatabaseAddress, RedisAddress

KERNEL_LIMIT = 107


@pytest.mark.parametrize("length", [10, 60, 90, 200])
def test_socket_paths_fit_whatever_the_length_of_the_data_folder(length: int) -> None:
    places = Places.of(Path("/srv") / ("x" * length))
    assert len(os.fsencode(places.sockets / POSTGRES_SOCKET)) <= KERNEL_LIMIT
    assert len(os.fsencode(places.redis_socket)) <= KERNEL_LIMIT


def test_two_long_data_folders_do_not_share_sockets() -> None:
    assert Places.of("/srv/" + "x" * 120).sockets != Places.of("/srv/" + "y" * 120).sockets


def test_the_addresses_are_understood_by_the_settings() -> None:
    places = Places.of("/srv/portal data")
    assert DatabaseAddress.parse(places.database_url).host == str(places.sockets)
    assert RedisAddress.parse(places.redis_url).cache == f"unix://{places.redis_socket}"


def test_a_folder_is_open_only_if_all_above_it_are(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    inner = closed / "inner"
    inner.mkdir(parents=True)
    closed.chmod(0o700)
    assert not open_to_all(inner)
    assert open_to_all(Path("/usr/bin"))


def test_as_root_the_database_leaves_a_folder_that_its_user_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    monkeypatch.setattr(module.os, "geteuid", lambda: 0)
    places = Places.of(tmp_path / "closed" / "data")
    assert places.database_home.parent == module.CLOSED_DATA_HOME
    assert places.data == (tmp_path / "closed" / "data").resolve()


def test_as_an_ordinary_user_everything_stays_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.os, "geteuid", lambda: 1000)
    assert Places.of(tmp_path / "data").database_home == (tmp_path / "data").resolve()


def test_what_is_made_is_closed_to_other_people(tmp_path: Path) -> None:
    places = Places.of(tmp_path / "data")
    places.make()
    for folder in (places.storage, places.logs, places.redis):
        assert folder.stat().st_mode & 0o077 == 0
    assert places.data.stat().st_mode & 0o066 == 0
