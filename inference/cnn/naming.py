"""What people call a task, and which network does it."""

from __future__ import annotations

NETWORK_OF_TASK = {
    "detection": "candidates",
    "reduction": "reduction",
    "seeking": "seeker",
    "segmentation": "outline",
    "malignancy": "malignancy",
    "slices": "slices",
    "patches": "patches",
}
ALIASES = {
    "detector": "detection",
    "reducer": "reduction",
    "segmenter": "segmentation",
    "seeker": "seeking",
    "candidates": "detection",
    "outline": "segmentation",
}


def task_named(name: str) -> str:
    """The task that a person means; ValueError lists what there is."""
    task = ALIASES.get(name, name)
    if task not in NETWORK_OF_TASK:
        raise ValueError(f"There is no task {name!r}; there are: {', '.join(NETWORK_OF_TASK)}.")
    return task
