"""Outlines whose place comes from our own detector: what a reader of a whole scan gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from inference.cnn.evaluation.chosen import Chosen
from inference.cnn.evaluation.detection import Searched, hits, search_all
from inference.cnn.evaluation.nodules import Case
from inference.cnn.evaluation.segmentation import Drawn, Told, dice_block
from inference.cnn.outlines import outline_all
from inference.cnn.reduction import Judged


def _best(one: Searched, threshold: float) -> Judged | None:
    """The most probable mark on the nodule that is shown at the shipped threshold."""
    shown = (j for j in one.sought if j.p_nodule >= threshold)
    return next((j for j in shown if hits(one.case, one.stack.voxel(j.candidate.zyx_mm))), None)


def _drawn(one: Searched, networks: Chosen) -> Drawn:
    """The outline from that mark; an empty one where the nodule was missed."""
    stack, mark = one.stack, _best(one, float(networks["seeker"].manifest["threshold"]))
    found = outline_all(stack.hu, stack.spacing_mm, [mark], networks) if mark else []
    if not found:
        return Drawn(one.case, np.zeros(stack.crop, bool), None, stack)
    return Drawn(one.case, stack.on_crop(found[0].start, found[0].mask), found[0], stack)


def from_own_detector(cases: Sequence[Case], networks: Chosen, tell: Told) -> dict[str, Any]:
    """Dice over at least three readers; a nodule that is missed counts 0, `found_only` leaves it out."""
    many = [case for case in cases if case.readers >= 3]
    searched = search_all(many, networks, tell, as_whole_scan=False)
    drawn = [_drawn(one, networks) for one in searched]
    found = [d for d in drawn if d.found is not None]
    return {
        **dice_block(drawn),
        "n_missed": len(drawn) - len(found),
        "found_only": dice_block(found),
    }
