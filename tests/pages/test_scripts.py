"""The scripts of the pages: their pure parts, and the rules of the content security policy."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((REPOSITORY / "templates").rglob("*.html"))
SCRIPTS = sorted((REPOSITORY / "static/js").rglob("*.js"))


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there to run the scripts")
def test_the_pure_parts_of_the_scripts_do_what_they_say():
    done = subprocess.run(
        ["node", "--test", str(REPOSITORY / "tests/pages/scripts.test.mjs")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_template_holds_no_inline_script_style_or_handler(template):
    text = template.read_text()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|hx-on", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"(src|href)=\"(https?:)?//", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_script_makes_no_code_or_markup_out_of_text(script):
    assert not re.search(
        r"\beval\(|new Function|\.innerHTML|\.outerHTML|insertAdjacentHTML|document\.write",
        script.read_text(),
    )
