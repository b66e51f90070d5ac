"""The planes of many slices, decoded on all cores and handed out in order.

Uncompressed slices are decoded in threads. The decoders of compressed pixels hold Python's lock for as long
as they work (seen on 2026-11-21: a JPEG 2000 slice stops all other threads for its whole 100 ms), so long
series of them go to decoder processes (`scans.dicom.decoder_process`), one a core; a decoder that crashes on
hostile bytes then takes nothing else with it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from threading import Lock
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scans.dicom.acceptance import COMPRESSED
from scans.dicom.decoder_process import Decoder
from scans.dicom.headers import Header
from scans.dicom.image import Image, open_image
from scans.dicom.pixels import damage_refused, decode, hounsfield

Opener = Callable[[], BinaryIO | bytes]
Plane = NDArray[np.int16]
WORTH_A_PROCESS = 128
"""Slices that are worth the second of processor time that each process needs to start."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def planes(slices: Sequence[tuple[Header, Opener]]) -> Iterator[Plane]:
    """The slices in HU (rows, columns), in order; a few are decoded ahead of the caller.

    Raises
    ------
    Refused : a slice that cannot be decoded, when its turn comes.
    OSError : the storage failed.
    """
    with _way_of_decoding(slices) as plane, ThreadPoolExecutor(cores() + 1) as pool:
        ahead = 2 * (cores() + 1)
        waiting = [pool.submit(plane, *item) for item in slices[:ahead]]
        for index in range(len(slices)):
            ready = waiting.pop(0).result()
            if index + ahead < len(slices):
                waiting.append(pool.submit(plane, *slices[index + ahead]))
            yield ready


@contextmanager
def _way_of_decoding(slices: Sequence[tuple[Header, Opener]]) -> Iterator[Callable[[Header, Opener], Plane]]:
    compressed = sum(bool(COMPRESSED.fullmatch(header.transfer_syntax_uid)) for header, _ in slices)
    frames = Counter(header.sop_instance_uid for header, _ in slices)
    with ExitStack() as closing:
        if len(frames) < len(slices):
            yield _Opened(closing).plane
        elif compressed >= WORTH_A_PROCESS and cores() > 1:
            yield _Processes(closing).plane
        else:
            yield _in_this_thread


def _in_this_thread(header: Header, opener: Opener) -> Plane:
    source = opener()
    try:
        return decode(source, header.frame)
    finally:
        if not isinstance(source, bytes):
            source.close()


class _Opened:
    """Files of many frames, each opened once."""

    def __init__(self, closing: ExitStack) -> None:
        self._closing, self._opening = closing, Lock()
        self._images: dict[str, Image] = {}

    def plane(self, header: Header, opener: Opener) -> Plane:
        return hounsfield(self._image(header, opener), header.frame)

    def _image(self, header: Header, opener: Opener) -> Image:
        with self._opening, damage_refused():
            known = self._images.get(header.sop_instance_uid)
            if known is None:
                source = opener()
                if not isinstance(source, bytes):
                    self._closing.callback(source.close)
                known = self._images[header.sop_instance_uid] = open_image(source)
            return known


class _Processes:
    """One decoder process a core, lent to whichever thread has a slice for it."""

    def __init__(self, closing: ExitStack) -> None:
        self._idle: SimpleQueue[Decoder] = SimpleQueue()
        for _ in range(cores()):
            self._idle.put(closing.enter_context(Decoder()))

    def plane(self, header: Header, opener: Opener) -> Plane:
        source = opener()
        if isinstance(source, bytes):
            content = source
        else:
            with source:
                content = source.read()
        decoder = self._idle.get()
        try:
            return decoder.decode(content, header.frame)
        finally:
            self._idle.put(decoder)
