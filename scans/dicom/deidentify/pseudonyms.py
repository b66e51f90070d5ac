"""New UIDs and patient numbers: the same each time for one salt, and not to be traced back without it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

SALT_BYTES = 32
STANDARD_ROOT = "1.2.840.10008."


@dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms below one secret salt (HMAC-SHA256)."""

    salt: bytes

    def __post_init__(self) -> None:
        if len(self.salt) < SALT_BYTES:
            raise ValueError(f"A salt needs at least {SALT_BYTES} bytes.")

    def uid(self, original: str) -> str:
        """Another UID for a UID, below 2.25 (PS3.5 B.2); UIDs of the standard itself stay."""
        original = original.strip("\0 ")
        if not original or original.startswith(STANDARD_ROOT):
            return original
        digest = bytearray(self._digest("uid", original)[:16])
        digest[6] = (digest[6] & 0x0F) | 0x80  # a UUID of version 8 (RFC 9562 section 5.8)
        digest[8] = (digest[8] & 0x3F) | 0x80
        return f"2.25.{int.from_bytes(digest, 'big')}"

    def patient(self, issuer: str, number: str) -> str:
        """A number for a patient, 60 bits of it: two studies of one patient stay together."""
        return f"R-{self._digest('patient', f'{issuer}/{number}').hex()[:15].upper()}"

    def _digest(self, kind: str, text: str) -> bytes:
        return hmac.new(self.salt, f"{kind}:{text}".encode(), hashlib.sha256).digest()
