"""The notebook in the documentation runs, and shows what it says it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks import run_cells

NOTEBOOK = Path(__file__).resolve().parents[4] / "docs" / "notebooks" / "read_volume.ipynb"


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    return json.loads(NOTEBOOK.read_text())  # type: ignore[no-any-return]


def texts(outputs: list[dict[str, Any]]) -> str:
    return "".join(line for output in outputs for line in output.get("text", []))


def test_the_stored_notebook_has_run_from_top_to_bottom(notebook: dict[str, Any]) -> None:
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]

    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(cell["outputs"] for cell in code)


@pytest.mark.networks
def test_the_notebook_runs_and_finds_the_nodule_that_was_put_in(notebook: dict[str, Any]) -> None:
    outputs = run_cells(notebook)

    told = texts([output for cell in outputs for output in cell])
    distances = [float(d) for d in re.findall(r"finding \d+, ([\d.]+) mm from its true", told)]
    assert "the same voxels: True  at the same place: True" in told
    assert distances
    assert min(distances) < 3
    assert any("image/png" in output.get("data", {}) for cell in outputs for output in cell)
