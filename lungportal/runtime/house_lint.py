"""Rules of the house that no other tool knows: `python -m lungportal.runtime.house_lint`."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FILE_LINES = 500
FUNCTION_LINES = 60
CODE = {".py", ".js", ".ts", ".css", ".html", ".sh"}
TEXT = CODE | {".md", ".yml", ".yaml", ".toml", ".conf"}
LEFT_UNDONE = re.compile(r"\b(?:TO" r"DO|FIX" r"ME)\b")
MAY_ASK_FOR_ALL = re.compile(r"(?:^|/)(?:querysets|admin)(?:\.py$|/)|(?:^|/)migrations/|^tests/|^bench/")
WRITTEN_BY_OTHERS = re.compile(r"(?:^|/)(?:migrations|vendor)/|\.min\.")


def our_files() -> list[Path]:
    """What git follows, or would follow; without git everything outside hidden folders."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        files = [Path(line) for line in listed.stdout.splitlines()]
    else:
        files = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
    return [file for file in files if _is_ours(file)]


def _is_ours(file: Path) -> bool:
    hidden = any(part.startswith(".") and part != ".ci" for part in file.parts[:-1]) or file.parts[0] == "var"
    written_here = file.suffix in TEXT and not WRITTEN_BY_OTHERS.search(file.as_posix())
    return written_here and not hidden and (ROOT / file).exists()


def complaints(file: Path, text: str) -> Iterator[str]:
    lines = text.splitlines()
    if file.suffix in CODE and len(lines) > FILE_LINES:
        yield f"{file}:1: {len(lines)} lines; a file has at most {FILE_LINES}"
    for number, line in enumerate(lines, start=1):
        if file.suffix in CODE and LEFT_UNDONE.search(line):  # prose may name the rule
            yield f"{file}:{number}: something is left undone; do it, or write an issue"
    if file.suffix == ".py":
        yield from _of_python(file, ast.parse(text))


def _of_python(file: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{file}:{node.lineno}: {node.name} has {length} lines; at most {FUNCTION_LINES}"
        if isinstance(node, ast.Call) and _asks_for_all(node) and not MAY_ASK_FOR_ALL.search(file.as_posix()):
            yield f"{file}:{node.lineno}: objects.all() sees every site; start at visible_to(person)"


def _asks_for_all(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr="all", value=ast.Attribute(attr="objects")):
            return True
        case _:
            return False


def main() -> int:
    found = [
        line for file in our_files() for line in complaints(file, (ROOT / file).read_text(errors="replace"))
    ]
    print("\n".join(found) or "The house is in order.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
