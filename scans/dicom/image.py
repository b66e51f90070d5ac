"""The stored values of an image, one frame at a time: the one decode path of volumes, viewer and web.

Only the bytes of the frame that is asked for are read, so that a large multi-frame file costs no memory.
"""

from __future__ import annotations

import io
from functools import cached_property
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from scans.dicom import attributes as a
from scans.dicom.jpeg import claimed_matrix, decode_jpeg12, jpeg_frame
from scans.dicom.part10 import PIXEL_DATA, Part10, PixelElement, open_part10, truncated
from scans.dicom.refusal import Refused
from scans.dicom.sheltered import may_die_here, stored_apart

LARGEST_MATRIX = 4096 * 4096
PIXEL_MODULE = 0x0028
READ_BY_GDCM = (JPEGLossless, JPEGLosslessSV1)
PLUGIN = {
    JPEGBaseline8Bit: "pillow",
    JPEGExtended12Bit: "pillow",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000: "pylibjpeg",
    JPEG2000Lossless: "pylibjpeg",
}
"""pydicom would ask GDCM first, which can end the process (see `sheltered`)."""

TWELVE_BITS = (JPEGExtended12Bit, JPEGBaseline8Bit)  # the second by mistake of the writer


class Image:
    """An opened image. Several threads may ask for frames; reading is serial, decoding is not.

    Attributes
    ----------
    dataset : everything before the pixels.
    frames : how many the header announces.
    rows, columns, samples : size of one frame, and values per pixel (3 in colour).
    """

    def __init__(self, part10: Part10) -> None:
        dataset = part10.dataset
        self.dataset: Dataset = dataset
        self.syntax = UID(part10.transfer_syntax_uid)
        self.rows, self.columns = a.integer(dataset, "Rows") or 0, a.integer(dataset, "Columns") or 0
        self.samples = a.integer(dataset, "SamplesPerPixel") or 1
        self.frames = max(a.integer(dataset, "NumberOfFrames") or 1, 1)
        self._bits = a.integer(dataset, "BitsAllocated") or 16
        self._body: BinaryIO = part10.body
        self._reading = Lock()
        self._pixels = self._checked(part10.pixels)
        self._decoder = _decoder_of(self.syntax)

    def _checked(self, pixels: PixelElement | None) -> PixelElement:
        if pixels is None or pixels.tag != PIXEL_DATA or not pixels.length:
            raise Refused("NO_PIXELS", "The file holds no pixels. Send the image itself.")
        if not 0 < self.rows * self.columns <= LARGEST_MATRIX or self.samples not in (1, 3, 4):
            size = f"{self.rows} x {self.columns}"
            raise Refused("TOO_LARGE", f"A matrix of {size} is not read; 4096 x 4096 is the limit.")
        return pixels

    def stored(self, frame: int = 0, *, as_rgb: bool = False) -> NDArray[np.integer[Any]]:
        """The stored values of a frame: (rows, columns), in colour (rows, columns, samples).

        Parameters
        ----------
        as_rgb : turn YBR colours into RGB; otherwise they are left as decoded.

        Raises
        ------
        Refused : no such frame, an encoding that is not read here, or damaged pixels.
        """
        if not 0 <= frame < self.frames:
            raise Refused("NO_FRAME", f"The image has {self.frames} frames.")
        if self._pixels.fragments is None:
            return self._decoded(*self._native(frame), as_rgb)
        encoded = self._encoded(frame)
        self._require_claim(encoded)
        head = jpeg_frame(encoded) if self.syntax in TWELVE_BITS else None
        twelve = head is not None and head.precision == 12
        if (twelve or self.syntax in READ_BY_GDCM) and not may_die_here():
            return stored_apart(self._alone(encapsulate([encoded], has_bot=False), 1))
        if twelve:
            return decode_jpeg12(encoded, self.rows, self.columns, self.samples)
        return self._decoded(encapsulate([encoded], has_bot=False), 1, 0, as_rgb)

    def _decoded(self, raw: bytes, frames: int, index: int, as_rgb: bool) -> NDArray[np.integer[Any]]:
        stored: NDArray[np.integer[Any]]
        plugin = PLUGIN.get(self.syntax, "")
        stored, _ = self._decoder.as_array(
            self._alone(raw, frames), index=index, raw=not as_rgb, decoding_plugin=plugin
        )
        return stored

    def _alone(self, raw: bytes, frames: int) -> Dataset:
        """A data set of nothing but the pixels and what describes them."""
        dataset = self.dataset.group_dataset(PIXEL_MODULE)
        dataset.NumberOfFrames = frames
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = self.syntax
        dataset.add_new(PIXEL_DATA, self._pixels.vr or "OW", raw)
        dataset["PixelData"].is_undefined_length = self._pixels.fragments is not None
        return dataset

    def _native(self, frame: int) -> tuple[bytes, int, int]:
        """Bytes that hold the frame, how many frames they hold, and its number among them."""
        subsampled = a.text(self.dataset, "PhotometricInterpretation") == "YBR_FULL_422"
        bits = self.rows * self.columns * (2 if subsampled else self.samples) * self._bits
        if self._bits % 8:  # frames of single bits do not begin at a byte (PS3.5 section 8.1.1)
            needed = (bits * self.frames + 7) // 8
            return self._read(self._pixels.offset, needed + needed % 2), self.frames, frame
        size = bits // 8
        even = size + size % 2
        return self._read(self._pixels.offset + frame * size, even).ljust(even, b"\0"), 1, 0

    def _read(self, offset: int, size: int) -> bytes:
        """Bytes of the pixel element; the last ones of an odd length may lack their padding."""
        with self._reading:
            self._body.seek(offset)
            raw = self._body.read(min(size, self._pixels.end - offset))
        if len(raw) + 1 < size:
            raise truncated()
        return raw

    def _encoded(self, frame: int) -> bytes:
        """The compressed bytes of a frame, put together from its fragments (PS3.5 section A.4)."""
        fragments = self._pixels.fragments or ()
        if self.frames == 1:
            return b"".join(self._read(offset, length) for offset, length in fragments)
        if len(fragments) == self.frames:
            return self._read(*fragments[frame])
        if frame >= len(self._scattered):
            raise truncated()
        return self._scattered[frame]

    @cached_property
    def _scattered(self) -> tuple[bytes, ...]:
        """All frames of a file in which a frame is spread over several fragments."""
        raw = self._read(self._pixels.offset, self._pixels.end - self._pixels.offset)
        return tuple(generate_frames(raw, number_of_frames=self.frames))

    def _require_claim(self, encoded: bytes) -> None:
        """Decoders reserve memory by what the stream claims, so that is checked before they see it."""
        claimed = claimed_matrix(encoded)
        if claimed is not None and claimed != (self.rows, self.columns):
            raise Refused("PIXELS_DAMAGED", "The compressed pixels have another size than the header says.")


def open_image(source: BinaryIO | bytes) -> Image:
    """Open a file as far as its pixels.

    Raises
    ------
    Refused : no DICOM, cut off, without pixels, too large, or in an encoding that is not read here.
    """
    return Image(open_part10(io.BytesIO(source) if isinstance(source, bytes) else source))


def open_frame(content: bytes) -> NDArray[np.integer[Any]]:
    """The stored values of a file of one frame that `stored_apart` wrote."""
    return open_image(content).stored()


def _decoder_of(syntax: UID) -> Any:
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise _unsupported(syntax) from error
    if not decoder.is_available:
        raise _unsupported(syntax)
    return decoder


def _unsupported(syntax: UID) -> Refused:
    return Refused(
        "UNSUPPORTED_ENCODING",
        f"Pixels encoded as {syntax.name} cannot be decoded here. Export the series uncompressed.",
    )
