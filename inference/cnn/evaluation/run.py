"""Measure a task, then write the figures as JSON and the report beside them."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.cnn.evaluation.errors import EvaluationError
from inference.cnn.evaluation.page import page
from inference.cnn.evaluation.tasks import TASKS, Request, task_of
from inference.cnn.naming import NETWORK_OF_TASK

TRAINED = ("detection", "reduction", "segmentation", "malignancy")
TRAINED_ON = "The shipped networks were trained on the train split: its figures are not held-out ones."


def plain(value: Any) -> Any:
    """For JSON: what is undefined becomes null, tuples become lists."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case list() | tuple():
            return [plain(v) for v in value]
        case _ if hasattr(value, "item"):
            return plain(value.item())
        case _:
            return value


def evaluate(request: Request, out: Path) -> dict[str, Any]:
    """Measure, then write `out` (JSON) and the report beside it (.html); nothing after an error."""
    if not request.data.is_dir():
        raise EvaluationError(f"{request.data} is no folder; give the data with --data.")
    task = task_of(request.task)
    found = TASKS[task](request)
    warning = TRAINED_ON if task in TRAINED and request.split in ("train", "all") else ""
    told = {**_told(request, task), "networks": dict(found.networks), "warning": warning or None}
    report: dict[str, Any] = plain({**told, **found.figures})
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")
    out.with_suffix(".html").write_text(page(told, f"{found.lead} {warning}".strip(), found.sections))
    return report


def _told(request: Request, task: str) -> dict[str, Any]:
    """What was measured on what, and when."""
    return {
        "task": task,
        "network": NETWORK_OF_TASK.get(task),
        "split": request.split,
        "data": str(request.data),
        "date": datetime.date.today().isoformat(),
        "limit": request.limit,
    }
