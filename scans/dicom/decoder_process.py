"""Decode slices in a process of its own: `python -m scans.dicom.decoder_process` on pipes.

A request is kind, frame number and length (three little-endian uint64) and the bytes of a DICOM file; an
answer is a JSON line, ``{"shape": [rows, columns], "dtype": "<i2"}`` followed by the values, or
``{"refused": [code, sentence]}``. Kind 0 asks for Hounsfield units, 1 for stored values.
"""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from scans.dicom.refusal import Refused

PROJECT = Path(__file__).resolve().parents[2]
REQUEST = struct.Struct("<QQQ")
HOUNSFIELD, STORED = 0, 1
MARK = "LUNGPORTAL_DECODER_PROCESS"


class Decoder:
    """The near end of a decoder process, used by one thread at a time; started when first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def decode(self, content: bytes, frame: int) -> NDArray[np.int16]:
        """As `pixels.decode`; a file on which the decoder dies counts as damaged.

        Raises
        ------
        Refused : as `pixels.decode` says, or the process ended before it answered.
        """
        return self._asked(HOUNSFIELD, content, frame).astype(np.int16, copy=False)

    def stored(self, content: bytes) -> NDArray[np.integer[Any]]:
        """The stored values of the first frame, as `Image.stored`, raising the same."""
        return self._asked(STORED, content, 0)

    def _asked(self, kind: int, content: bytes, frame: int) -> NDArray[np.integer[Any]]:
        process = self._process = self._process or _started()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("The decoder process has no pipes.")
        try:
            process.stdin.write(REQUEST.pack(kind, frame, len(content)))
            process.stdin.write(content)
            process.stdin.flush()
            return _answer(process.stdout)
        except (BrokenPipeError, EOFError) as error:
            self.stop()
            raise Refused(
                "PIXELS_DAMAGED", "The pixels are damaged and cannot be decoded. Send it again."
            ) from error

    def stop(self) -> None:
        """End the process, if there is one."""
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
        env={**os.environ, "PYTHONPATH": path, MARK: "1"},
    )


def _answer(answers: IO[bytes]) -> NDArray[np.integer[Any]]:
    line = answers.readline()
    if not line:
        raise EOFError
    told = json.loads(line)
    if "refused" in told:
        raise Refused(*told["refused"])
    kind = np.dtype(told["dtype"])
    size = kind.itemsize * math.prod(told["shape"])
    values = answers.read(size)
    if len(values) != size:
        raise EOFError
    return np.frombuffer(values, kind).reshape(told["shape"])


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end."""
    from scans.dicom.image import open_frame  # noqa: PLC0415 - the near end is imported by that module
    from scans.dicom.pixels import damage_refused, decode  # noqa: PLC0415

    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        kind, frame, length = REQUEST.unpack(head)
        content = requests.read(length)
        try:
            with damage_refused():
                values = decode(content, frame) if kind == HOUNSFIELD else open_frame(content)
            little = values.astype(values.dtype.newbyteorder("<"), copy=False)
            told = {"shape": little.shape, "dtype": little.dtype.str}
            answers.write(json.dumps(told).encode() + b"\n" + little.tobytes())
        except Refused as refused:
            answers.write(json.dumps({"refused": [refused.code, refused.sentence]}).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
