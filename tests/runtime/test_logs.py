"""No line of a log carries a value that may name a patient."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from lungportal.logs import JSONFormatter, TextFormatter


def record_of(error: Exception, name: str = "scans.ingest") -> logging.LogRecord:
    try:
        raise error
    except Exception:
        return logging.LogRecord(name, logging.ERROR, __file__, 1, "series %s", ("1.2.3",), sys.exc_info())


@pytest.mark.parametrize("formatter", [TextFormatter(), JSONFormatter()])
def test_an_exceptions_text_is_left_out_and_its_class_and_place_are_kept(
    formatter: logging.Formatter,
) -> None:
    line = formatter.format(record_of(ValueError("Key (number)=(DOE-4711) already exists")))
    assert "DOE-4711" not in line
    assert "ValueError" in line
    assert "record_of" in line
    assert "series 1.2.3" in line


@pytest.mark.parametrize("formatter", [TextFormatter(), JSONFormatter()])
def test_a_failed_task_is_named_without_what_it_raised(formatter: logging.Formatter) -> None:
    record = record_of(ValueError("DOE^JANE"), "celery.app.trace")
    record.msg, record.args = "Task failed: DOE^JANE", None
    record.data = {
        "name": "scans.tasks.build",
        "id": "7",
        "description": "raised unexpected",
        "exc": "DOE^JANE",
    }
    line = formatter.format(record)
    assert "DOE" not in line
    assert "scans.tasks.build[7] raised unexpected (ValueError)" in line


def test_a_json_line_is_one_line_of_json() -> None:
    line = JSONFormatter().format(record_of(ValueError("x")))
    assert "\n" not in line
    assert set(json.loads(line)) == {"time", "level", "logger", "message", "trace"}
