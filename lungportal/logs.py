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

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))

    def format(self, record: logging.LogRecord) -> str:
        _hide_values(record)
        return super().format(record)

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
        _hide_values(record)
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _hide_values(record: logging.LogRecord) -> None:
    """Celery writes what a task raised, and with which text, into the message itself."""
    context = getattr(record, "data", None)
    if record.name == "celery.app.trace" and isinstance(context, dict):
        kind = record.exc_info[0] if record.exc_info else None
        named = f" ({kind.__qualname__})" if kind else ""
        record.msg = (
            f"task {context.get('name')}[{context.get('id')}] {context.get('description', 'ended')}{named}"
        )
        record.args = None
