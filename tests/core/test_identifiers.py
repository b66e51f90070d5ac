"""Keys that sort by time."""

from __future__ import annotations

import time

from core.identifiers import uuid7


def test_keys_sort_by_the_time_of_their_making() -> None:
    keys = []
    for _ in range(200):
        keys.append(uuid7())
        time.sleep(0.00001)

    assert keys == sorted(keys)


def test_keys_say_their_version_and_never_repeat() -> None:
    keys = {uuid7() for _ in range(1000)}

    assert len(keys) == 1000
    assert {(key.version, key.variant) for key in keys} == {(7, "specified in RFC 4122")}
