"""A lost Redis is a cold cache, not an error page."""

from __future__ import annotations

import pytest

from lungportal.cache import ForgivingRedisCache


@pytest.fixture
def lost() -> ForgivingRedisCache:
    return ForgivingRedisCache("unix:///nowhere/redis.sock", {})


def test_every_look_is_a_miss(lost: ForgivingRedisCache) -> None:
    assert lost.get("a", "absent") == "absent"
    assert lost.get_many(["a"]) == {}
    assert not lost.has_key("a")


def test_every_write_is_forgotten(lost: ForgivingRedisCache) -> None:
    lost.set("a", 1)
    assert lost.add("a", 1)
    assert lost.incr("a") == 1
    assert not lost.delete("a")
    assert not lost.touch("a")
    assert lost.set_many({"a": 1}) == []
    lost.delete_many(["a"])
