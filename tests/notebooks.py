"""Run the code cells of a notebook in one namespace; `python -m tests.notebooks FILE` stores the outputs.

A Jupyter kernel would bring some thirty packages for a notebook without magics; its cells are plain Python.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from PIL import Image

Output = dict[str, Any]


def run_cells(notebook: dict[str, Any]) -> list[list[Output]]:
    """The outputs of each code cell, in nbformat 4. An error in a cell is raised as it is."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [_run("".join(cell["source"]), namespace, number) for number, cell in enumerate(cells, start=1)]


def _run(source: str, namespace: dict[str, Any], number: int) -> list[Output]:
    """Statements first; the value of a last expression is the cell's result."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, result = io.StringIO(), None
    with redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), namespace)  # noqa: S102 - our own notebook
        if isinstance(last, ast.Expr):
            result = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), namespace)  # noqa: S307
    outputs: list[Output] = []
    if printed.getvalue():
        lines = printed.getvalue().splitlines(keepends=True)
        outputs.append({"output_type": "stream", "name": "stdout", "text": lines})
    if result is not None:
        shown = {"output_type": "execute_result", "execution_count": number, "metadata": {}}
        outputs.append({**shown, "data": _shown(result)})
    return outputs


def _shown(result: Any) -> dict[str, Any]:
    if not isinstance(result, Image.Image):
        return {"text/plain": [repr(result)]}
    buffer = io.BytesIO()
    result.save(buffer, "PNG", optimize=True)
    return {"image/png": base64.b64encode(buffer.getvalue()).decode(), "text/plain": ["<picture>"]}


def store(path: Path) -> None:
    """Run the notebook and keep what came out in it."""
    notebook = json.loads(path.read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, outputs) in enumerate(zip(cells, run_cells(notebook), strict=True), start=1):
        cell["outputs"], cell["execution_count"] = outputs, number
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    store(Path(sys.argv[1]))
