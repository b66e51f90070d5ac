"""Keys that sort by time (UUIDv7, RFC 9562 section 5.7)."""

from __future__ import annotations

import secrets
import time
import uuid

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


def uuid7() -> uuid.UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random_a = secrets.randbits(12) << 64
    random_b = secrets.randbits(62)
    return uuid.UUID(int=(milliseconds << 80) | _VERSION | random_a | _VARIANT | random_b)
