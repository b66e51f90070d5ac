"""The version that stands on every reading and in every report."""

from __future__ import annotations

CODE_VERSION = "0.1.0"
