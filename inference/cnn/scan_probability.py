"""One probability per scan from its findings: a leaky noisy-or over the most suspicious ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LEAK = 0.01
MOST_SUSPICIOUS = 5
"""Liao et al. (2019) join the top five too: many faint false alarms would otherwise add up to certainty."""


def noisy_or(findings: Iterable[tuple[float, float]], leak: float = LEAK) -> float:
    """1 - (1 - leak) * product of (1 - p_nodule * malignancy): at least one finding is suspicious.

    Over the five findings with the largest product. `leak` stands for what was not found at all (Liao et al.,
    2019, fit such a leak for the same purpose).
    """
    suspicions = []
    for p_nodule, malignancy in findings:
        if not (0 <= p_nodule <= 1 and 0 <= malignancy <= 1):
            raise ValueError("Probabilities lie between 0 and 1.")
        suspicions.append(p_nodule * malignancy)
    return 1 - (1 - leak) * math.prod(1 - one for one in sorted(suspicions)[-MOST_SUSPICIOUS:])


@dataclass(frozen=True)
class Contribution:
    """A finding behind a scan probability: its number, and p_nodule times malignancy."""

    number: int
    suspicion: float


def contributions(findings: Mapping[int, tuple[float, float]]) -> list[Contribution]:
    """The findings that `noisy_or` joins, by number, the largest part first."""
    made = [
        Contribution(number, p_nodule * malignancy) for number, (p_nodule, malignancy) in findings.items()
    ]
    return sorted(made, key=lambda one: (-one.suspicion, one.number))[:MOST_SUSPICIOUS]
