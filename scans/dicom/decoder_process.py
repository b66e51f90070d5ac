"""Decode slices in a process of its own: `python -m scans.dicom.decoder_process` on pipes.

A request is frame number and length (two little-endian uint64) and the bytes of a DICOM file; an answer is a
JSON line, ``{"shape": [rows, columns]}`` followed by the int16 values or ``{"refused": [code, sentence]}``.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import IO, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from scans.dicom.pixels import decode
from scans.dicom.refusal import Refused

PROJECT = Path(__file__).resolve().parents[2]
REQUEST = struct.Struct("<QQ")


class Decoder:
    """The near end of a decoder process, used by one thread at a time; started when first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def decode(self, content: bytes, frame: int) -> NDArray[np.int16]:
        """As `pixels.decode`; a file on which the decoder dies counts as damaged.

        Raises
        ------
        Refused : as `pixels.decode` says, or the process ended before it answered.
        """
        process = self._process = self._process or _started()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("The decoder process has no pipes.")
        try:
            process.stdin.write(REQUEST.pack(frame, len(content)))
            process.stdin.write(content)
            process.stdin.flush()
            return _answer(process.stdout)
        except (BrokenPipeError, EOFError) as error:
            self._stop()
            raise Refused(
                "PIXELS_DAMAGED", "The pixels are damaged and cannot be decoded. Send it again."
            ) from error

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _started() -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", "scans.dicom.decoder_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )


def _answer(answers: IO[bytes]) -> NDArray[np.int16]:
    line = answers.readline()
    if not line:
        raise EOFError
    told = json.loads(line)
    if "refused" in told:
        raise Refused(*told["refused"])
    rows, columns = told["shape"]
    values = answers.read(2 * rows * columns)
    if len(values) != 2 * rows * columns:
        raise EOFError
    return np.frombuffer(values, "<i2").reshape(rows, columns).astype(np.int16, copy=False)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end."""
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        frame, length = REQUEST.unpack(head)
        content = requests.read(length)
        try:
            plane = decode(content, frame)
            answers.write(json.dumps({"shape": plane.shape}).encode() + b"\n")
            answers.write(np.ascontiguousarray(plane, "<i2").data)
        except Refused as refused:
            answers.write(json.dumps({"refused": [refused.code, refused.sentence]}).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
