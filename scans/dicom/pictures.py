"""Pictures that are no DICOM (PNG, JPEG, BMP, TIFF): opened safely, their metadata left behind."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from scans.dicom.refusal import Refused

FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
LARGEST_SIDE = 4096
STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")
DICOM_MARK = slice(128, 132)
START_BYTES = 132
T = TypeVar("T")


@dataclass(frozen=True)
class PlainPicture:
    """Pixels of a picture as a person sees it, upright.

    Attributes
    ----------
    pixels : uint8 (y, x) or uint8 (y, x, 3), or uint16 (y, x) where the file has deeper grey levels.
    lossy : the file was a JPEG.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    lossy: bool


def is_picture(start: bytes) -> bool:
    """Whether a file starts like a picture and is no DICOM file (whose preamble may look like TIFF)."""
    return start.startswith(STARTS) and start[DICOM_MARK] != b"DICM"


def read_picture(content: bytes) -> PlainPicture:
    """The pixels of a picture; names, dates, places and thumbnails of the file are left behind.

    Raises
    ------
    Refused : no picture, damaged, too large, or of several pages.
    """
    return with_picture(content, _pixels)


def with_picture(content: bytes, use: Callable[[Image.Image], T]) -> T:
    """What `use` makes of the opened picture; whatever a hostile file provokes ends as one refusal.

    Raises
    ------
    Refused : no picture, damaged, or larger than 4096 pixels along a side.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if max(image.size) > LARGEST_SIDE:
                    raise _too_large()
                return use(image)
        except Refused:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_large() from error
        except UnidentifiedImageError as error:
            raise Refused(
                "NOT_A_PICTURE", "The file is no picture. Send PNG, JPEG, BMP, TIFF or one DICOM slice."
            ) from error
        except Exception as error:  # decoders of damaged files raise anything from SyntaxError to OSError
            raise Refused(
                "DAMAGED", "The picture is damaged and cannot be decoded. Save it again."
            ) from error


def _too_large() -> Refused:
    return Refused("TOO_LARGE", f"The picture has more than {LARGEST_SIDE} pixels along a side. Shrink it.")


def _pixels(image: Image.Image) -> PlainPicture:
    if getattr(image, "n_frames", 1) > 1:
        raise Refused("SEVERAL_PAGES", "The picture has several pages. Save each as a file of its own.")
    lossy = image.format == "JPEG"
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I") or upright.mode == "F":
        return PlainPicture(_sixteen_bits(np.asarray(upright, float)), lossy)
    grey = upright.mode in ("1", "L", "LA")
    return PlainPicture(np.asarray(upright.convert("L" if grey else "RGB"), np.uint8), lossy)


def _sixteen_bits(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Deep grey levels as they are where they fit, else stretched from the lowest to the highest."""
    if not np.isfinite(values).all():
        raise Refused("DAMAGED", "The picture holds values that are no numbers. Save it again.")
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= np.iinfo(np.uint16).max and np.array_equal(values, np.rint(values)):
        return values.astype(np.uint16)
    return np.rint((values - low) * (np.iinfo(np.uint16).max / max(high - low, 1e-9))).astype(np.uint16)
