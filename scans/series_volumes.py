"""The volumes of one series: its stacks of slices are built and checked; the best one stands for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import DatabaseError

from scans.dicom.checks import (
    Candidate,
    Check,
    as_check,
    check_header_set,
    check_parts,
    check_volume,
    choose_series,
    reason,
    refuse,
    summarise,
)
from scans.dicom.decoding import Opener
from scans.dicom.frames import frame_headers, is_multi_frame_ct
from scans.dicom.headers import Header
from scans.dicom.lungs import find_lungs
from scans.dicom.refusal import Refused
from scans.dicom.stacks import Stack, split
from scans.dicom.volume import build_volume
from scans.models import Instance, Series, Volume
from scans.volumes import keep, opener_of

logger = logging.getLogger(__name__)

NO_VOLUME = {"E_GEOM", "E_MIXED", "E_RESCALE", "E_MODALITY", "E_MULTIFRAME", "E_PICTURE"}
"""After these no volume is built; after any other refusal one is, to be looked at and read on request."""
UNEXPECTED = Refused(
    "UNEXPECTED",
    "The images could not be put together because of an unexpected error. Tell the administrator.",
)
Slices = Sequence[tuple[Header, Opener]]


@dataclass(frozen=True)
class Checked:
    """A series with the volume of its best stack, if it makes one, and what the checks said of that."""

    series: Series
    volume: Volume | None
    candidate: Candidate


def check_series(series: Series, instances: Sequence[Instance]) -> Checked:
    """Split a series into stacks, build and check each, and write down what was found for the best one.

    Stacks are built from the least to the most promising one, so that the latest volume of a series is the
    one to look at.
    """
    slices, damaged = _slices(instances)
    stacks, aside = split([header for header, _ in slices])
    promising = sorted(stacks, key=lambda stack: bool(refuse(check_header_set(_headers(slices, stack)))))
    parts = [(stack, _checked(series, [slices[k] for k in stack.members])) for stack in reversed(promising)]
    chosen, _ = choose_series([part.candidate for _, part in parts])
    stack, best = next((one for one in parts if one[1].candidate is chosen), parts[-1])
    checks = (
        *(as_check(refused) for refused in damaged),
        *best.candidate.checks,
        *check_parts(stack, stacks, aside),
    )
    series.checks = [check.to_json() for check in checks]
    series.refusal = reason(checks)[:500]
    series.save(update_fields=["checks", "refusal"])
    return Checked(series, best.volume, _candidate(series, _headers(slices, stack), checks))


def _headers(slices: Slices, stack: Stack) -> list[Header]:
    return [slices[k][0] for k in stack.members]


def _slices(instances: Sequence[Instance]) -> tuple[Slices, tuple[Refused, ...]]:
    """Header and opener of each slice, those of multi-frame files frame by frame; what could not be read."""
    damaged: list[Refused] = []

    def each() -> Iterator[tuple[Header, Opener]]:
        for instance in instances:
            header, opener = Header.from_json(instance.header), opener_of(instance)
            headers: tuple[Header, ...] = (header,)
            if is_multi_frame_ct(header):
                try:
                    with opener() as file:
                        headers = frame_headers(header, file)
                except Refused as refused:
                    damaged.append(refused)
            yield from ((one, opener) for one in headers)

    return list(each()), tuple(damaged)


def _candidate(series: Series, headers: Sequence[Header], checks: tuple[Check, ...]) -> Candidate:
    uid, number = series.series_instance_uid, series.series_number
    return Candidate(uid, number, series.description, summarise(headers), checks)


def _checked(series: Series, slices: Slices) -> Checked:
    headers = [header for header, _ in slices]
    checks = check_header_set(headers)
    volume = None
    if not {check.code for check in refuse(checks)} & NO_VOLUME:
        volume, more = _volume(series, slices)
        checks = (*checks, *more)
    return Checked(series, volume, _candidate(series, headers, checks))


def _volume(series: Series, slices: Slices) -> tuple[Volume | None, tuple[Check, ...]]:
    try:
        built = build_volume(slices)
        return keep(series, built), check_volume(built, find_lungs(built.hu, built.geometry))
    except Refused as refused:
        return None, (as_check(refused),)
    except (DatabaseError, OSError):
        raise  # passes by itself: the study is handed out again
    except Exception:
        logger.exception("series %s makes no volume", series.pk)
        return None, (as_check(UNEXPECTED),)
