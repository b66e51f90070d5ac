"""A cache that may vanish: while Redis is away every look is a miss and every write is forgotten."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import TimeoutError as RedisSlow

logger = logging.getLogger(__name__)


def _or(absent: Any, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (RedisGone, RedisSlow) as error:
        logger.warning("cache: Redis is away (%s)", type(error).__name__)
        return absent


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache, with a lost Redis taken for an empty one.

    Limits on failed sign-ins pause while Redis is away (seconds under the supervisor); sessions, jobs and
    tokens do not depend on it.
    """

    def add(self, key: Any, value: Any, *args: Any, **options: Any) -> bool:
        return bool(_or(True, lambda: super(ForgivingRedisCache, self).add(key, value, *args, **options)))

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return _or(default, lambda: super(ForgivingRedisCache, self).get(key, default, version))

    def set(self, key: Any, value: Any, *args: Any, **options: Any) -> None:
        _or(None, lambda: super(ForgivingRedisCache, self).set(key, value, *args, **options))

    def touch(self, key: Any, *args: Any, **options: Any) -> bool:
        return bool(_or(False, lambda: super(ForgivingRedisCache, self).touch(key, *args, **options)))

    def delete(self, key: Any, version: Any = None) -> bool:
        return bool(_or(False, lambda: super(ForgivingRedisCache, self).delete(key, version)))

    def get_many(self, keys: Any, version: Any = None) -> dict[Any, Any]:
        return dict(_or({}, lambda: super(ForgivingRedisCache, self).get_many(keys, version)))

    def has_key(self, key: Any, version: Any = None) -> bool:
        return bool(_or(False, lambda: super(ForgivingRedisCache, self).has_key(key, version)))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        return int(_or(delta, lambda: super(ForgivingRedisCache, self).incr(key, delta, version)))

    def set_many(self, data: Any, *args: Any, **options: Any) -> list[Any]:
        return list(_or([], lambda: super(ForgivingRedisCache, self).set_many(data, *args, **options)))

    def delete_many(self, keys: Any, version: Any = None) -> None:
        _or(None, lambda: super(ForgivingRedisCache, self).delete_many(keys, version))
