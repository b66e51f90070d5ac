"""Decoding in a process that may die: GDCM ends the whole process on some damaged JPEG streams.

Seen on 2026-11-21 with a lossless JPEG of which a few bytes were changed: an exception of its C++ code that
nobody can catch. So the encodings that only GDCM reads here never reach it inside a web process or a worker.
"""

from __future__ import annotations

import atexit
import io
import os
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from scans.dicom.decoder_process import MARK, Decoder

_idle: dict[int, SimpleQueue[Decoder]] = {}


def may_die_here() -> bool:
    """Whether this is a decoder process, which nobody misses."""
    return MARK in os.environ


def stored_apart(dataset: Dataset) -> NDArray[np.integer[Any]]:
    """The stored values of a data set of one frame, decoded in another process.

    Raises
    ------
    Refused : the pixels cannot be decoded, or the decoder died of them.
    """
    dataset.preamble = b"\0" * 128
    file = io.BytesIO()
    dataset.save_as(file)
    idle = _idle.setdefault(os.getpid(), SimpleQueue())
    try:
        decoder = idle.get_nowait()
    except Empty:
        decoder = Decoder()
        atexit.register(decoder.stop)
    try:
        return decoder.stored(file.getvalue())
    finally:
        idle.put(decoder)
