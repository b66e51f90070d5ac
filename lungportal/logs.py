"""Log lines without values that may name a patient.

The text of an exception can quote a row (`Key (number)=(4711) already exists`) or a header, so a traceback
is written as its frames and the exception's class.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from types import TracebackType

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class TextFormatter(logging.Formatter):
    """`2026-11-21T08:00:00Z INFO scans.ingest: series complete`"""

    converter = time.gmtime

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - the name is logging's
        kind, error, trace = ei
        if kind is None or error is None:
            return ""
        frames = "".join(traceback.format_tb(trace)).rstrip()
        cause = error.__cause__ or error.__context__
        because = f" (from {type(cause).__qualname__})" if cause else ""
        return f"{frames}\n{kind.__module__}.{kind.__qualname__}{because}"


class JSONFormatter(TextFormatter):
    """The same event as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
