"""The stacks of slices within one series: what can be one volume, and what is left aside.

Scanners and archives put into one series what are several volumes: a localizer before the slices, two
passes, two phases, a change of thickness. Each stack is checked, built and judged on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from scans.dicom.headers import Header
from scans.dicom.volume import SAME_POSITION_MM

SMALLEST_PART = 3
UNEVEN_SHARE = 0.1
Key = Callable[[Header], Hashable]


@dataclass(frozen=True)
class Stack:
    """Slices that may become one volume, as indices into the series; `why` names what sets it apart."""

    members: tuple[int, ...]
    why: str = ""


def split(headers: Sequence[Header]) -> tuple[tuple[Stack, ...], tuple[int, ...]]:
    """The stacks of a series, largest first, and the images left aside (localizers, captures, documents).

    A series of nothing but such images is one stack, so that the checks can say what is wrong with it.
    Images are first told apart by what no volume can mix (matrix, pixel spacing, orientation, kernel, frame
    of reference). What is left with repeated or uneven positions is told apart by acquisition number, slice
    thickness, image type, contrast agent or pass, if each part is then a smoother stack than the whole.
    """
    slices = [k for k, header in enumerate(headers) if not is_aside(header)]
    if not slices:
        return (Stack(tuple(range(len(headers)))),), ()
    aside = tuple(k for k in range(len(headers)) if k not in set(slices))
    grids = _grouped(slices, lambda k: _grid(headers[k]))
    stacks = [
        stack for members in grids for stack in _smoother(headers, members, "" if len(grids) == 1 else "grid")
    ]
    return tuple(sorted(stacks, key=lambda stack: (-len(stack.members), stack.members))), aside


def is_aside(header: Header) -> bool:
    """Whether an image is no slice of any volume: a localizer, a screen capture, or without a place."""
    values = [value.upper() for value in header.image_type]
    return (
        "LOCALIZER" in values
        or values[1:2] == ["SECONDARY"]
        or header.modality != "CT"
        or header.position_along_normal is None
    )


def _grid(header: Header) -> Hashable:
    """What must be equal within a volume, numbers rounded to what writers of headers round to."""
    return (
        (header.rows, header.columns),
        tuple(np.round(header.pixel_spacing or (), 3).tolist()),
        tuple((np.round(header.image_orientation or (), 2) + 0.0).tolist()),
        header.convolution_kernel,
        header.frame_of_reference_uid,
        header.number_of_frames > 1 and header.sop_instance_uid,
    )


def _smoother(headers: Sequence[Header], members: Sequence[int], why: str) -> list[Stack]:
    """`members` as one stack, or apart by the first attribute that makes smoother stacks of them."""
    rough = _roughness(headers, members)
    keys: tuple[tuple[str, Callable[[int], Hashable]], ...] = (
        ("acquisition", lambda k: headers[k].acquisition_number),
        ("slice thickness", lambda k: headers[k].slice_thickness),
        ("image type", lambda k: headers[k].image_type),
        ("contrast agent", lambda k: headers[k].contrast_agent),
        ("pass", _passes(headers, members).__getitem__),
    )
    for name, key in keys:
        parts = _grouped(members, key)
        if len(parts) == 1 or min(map(len, parts)) < SMALLEST_PART:
            continue
        interleaved = _runs(headers, members, key) > len(parts)
        parted = sum(_roughness(headers, part) for part in parts)
        if parted < rough and (interleaved or len(parts) <= rough + 1):
            return [stack for part in parts for stack in _smoother(headers, part, why or name)]
        if interleaved and parted <= rough and name == "acquisition":
            return [stack for part in parts for stack in _smoother(headers, part, why or name)]
    return [Stack(tuple(members), why)]


def _grouped(members: Sequence[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for k in members:
        groups.setdefault(key(k), []).append(k)
    return list(groups.values())


def _position(header: Header) -> float:
    return header.position_along_normal or 0.0


def _roughness(headers: Sequence[Header], members: Sequence[int]) -> int:
    """How many neighbouring slices lie at one place or at another distance than most."""
    steps = np.diff(np.sort([_position(headers[k]) for k in members]))
    apart = steps[steps > SAME_POSITION_MM]
    if not apart.size:
        return int(steps.size)
    usual = float(np.median(apart))
    return int(np.sum(np.abs(steps - usual) > UNEVEN_SHARE * usual))


def _runs(headers: Sequence[Header], members: Sequence[int], key: Callable[[int], Any]) -> int:
    """How often the key changes from slice to slice along the stack, plus one."""
    ordered = sorted(members, key=lambda k: _position(headers[k]))
    return sum(1 for _ in groupby(ordered, key=key))


def _passes(headers: Sequence[Header], members: Sequence[int]) -> dict[int, int]:
    """In which pass over the patient each image was taken: the table moves one way within a pass."""
    ordered = sorted(members, key=lambda k: (headers[k].instance_number or 0, k))
    steps = np.diff([_position(headers[k]) for k in ordered])
    forth = 1.0 if np.sum(steps > 0) >= np.sum(steps < 0) else -1.0
    back = np.concatenate([[False], steps * forth < -SAME_POSITION_MM])
    return dict(zip(ordered, np.cumsum(back).tolist(), strict=True))
