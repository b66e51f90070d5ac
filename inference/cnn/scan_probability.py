"""One probability per scan from its findings: a leaky noisy-or."""

from __future__ import annotations

from collections.abc import Iterable

LEAK = 0.01


def noisy_or(findings: Iterable[tuple[float, float]], leak: float = LEAK) -> float:
    """1 - (1 - leak) * product of (1 - p_nodule * malignancy): at least one finding is suspicious.

    `leak` stands for what was not found at all (Liao et al., 2019, fit such a leak for the same purpose).
    """
    none = 1 - leak
    for p_nodule, malignancy in findings:
        if not (0 <= p_nodule <= 1 and 0 <= malignancy <= 1):
            raise ValueError("Probabilities lie between 0 and 1.")
        none *= 1 - p_nodule * malignancy
    return 1 - none
