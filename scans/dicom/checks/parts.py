"""What is said of a series that holds more than one stack of slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scans.dicom.checks.check import Check, check
from scans.dicom.stacks import Stack


def check_parts(chosen: Stack, stacks: Sequence[Stack], aside: Sequence[int]) -> tuple[Check, ...]:
    """That a series was split, and that images were left aside, as `stacks.split` did it."""
    return tuple(_split(chosen, stacks, aside))


def _split(chosen: Stack, stacks: Sequence[Stack], aside: Sequence[int]) -> Iterator[Check]:
    if len(stacks) > 1:
        among = sum(len(stack.members) for stack in stacks)
        what = f" by {chosen.why}" if chosen.why else ""
        sentence = (
            f"The series was split{what} into {len(stacks)} volumes; "
            f"this is the one of {len(chosen.members)} of {among} slices."
        )
        yield check("W_SPLIT", sentence, len(stacks), 1)
    if aside:
        noun = "image was" if len(aside) == 1 else "images were"
        yield check(
            "I_ASIDE", f"{len(aside)} {noun} left aside as no slices (localizer, capture).", len(aside), 0
        )
