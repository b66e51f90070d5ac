"""The rules of the house hold where no other tool looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungportal.runtime.house_lint import complaints

UNDONE = "TO" + "DO"


@pytest.mark.parametrize(
    ("file", "text", "word"),
    [
        ("scans/views.py", "Study.objects.all()\n", "visible_to"),
        ("scans/views.py", "x = 1\n" * 501, "501 lines"),
        ("scans/views.py", "def f():\n" + "    x = 1\n" * 60, "61 lines"),
        ("static/js/viewer.js", f"// {UNDONE}: write this\n", "left undone"),
    ],
)
def test_a_breach_is_told_with_its_place(file: str, text: str, word: str) -> None:
    (line,) = complaints(Path(file), text)
    assert line.startswith(f"{file}:1: ")
    assert word in line


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("scans/querysets.py", "Study.objects.all()\n"),
        ("scans/admin.py", "Study.objects.all()\n"),
        ("tests/scans/test_models.py", "Study.objects.all()\n"),
        ("scans/migrations/0002_fill.py", "Study.objects.all()\n"),
        ("scans/views.py", "study.series.all()\n"),
        ("scans/views.py", "x = 1\n" * 500),
        ("docs/long.md", "line\n" * 900),
        ("CONTRIBUTING.md", f"No `{UNDONE}`.\n"),
    ],
)
def test_what_is_allowed_passes(file: str, text: str) -> None:
    assert list(complaints(Path(file), text)) == []
