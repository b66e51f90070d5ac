"""How much is taken in one go: far above any chest CT, far below what would bring a server down."""

from __future__ import annotations

MIB = 1 << 20
GIB = 1 << 30

LARGEST_INSTANCE_BYTES = 512 * MIB
LARGEST_UPLOAD_BYTES = 8 * GIB
LARGEST_UNPACKED_BYTES = 16 * GIB
MOST_FILES_PER_ZIP = 20_000
LEAST_FREE_BYTES = 1 * GIB
