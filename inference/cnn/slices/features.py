"""What the classifier of single pictures is shown: grey levels and texture, forty-two numbers.

Body shape, table and position are left out on purpose: they tell scanners and patients apart, not disease.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

SIDE = 256
GREY_EDGES = np.array(
    [0, 2, 4, 8, 12, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 250, 256]
)
BANDS_PX = ((0.0, 0.7), (0.7, 1.4), (1.4, 2.8), (2.8, 5.6), (5.6, 11.0))
PATTERNS = 10
FEATURES = len(GREY_EDGES) - 1 + 2 * len(BANDS_PX) + PATTERNS

FloatArray = NDArray[np.float32]


def squared(grey: NDArray[np.uint8]) -> FloatArray:
    """The picture in the middle of a black square of 256 x 256 pixels, proportions kept."""
    rows, columns = grey.shape
    side = max(rows, columns)
    square = np.zeros((side, side), np.uint8)
    top, left = (side - rows) // 2, (side - columns) // 2
    square[top : top + rows, left : left + columns] = grey
    if side == SIDE:
        return square.astype(np.float32)
    how = Image.Resampling.BOX if side > SIDE else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(square).resize((SIDE, SIDE), how), np.float32)


def picture_features(grey: NDArray[np.uint8]) -> FloatArray:
    """(42,) of a picture uint8 (y, x): log shares of grey levels, log strength of bands, local patterns."""
    image = squared(grey)
    return np.concatenate([_grey_levels(image), _bands(image), _patterns(image)]).astype(np.float32)


def _grey_levels(image: FloatArray) -> NDArray[np.float64]:
    return np.asarray(np.log(np.histogram(image, GREY_EDGES)[0] / image.size + 1e-4))


def _bands(image: FloatArray) -> NDArray[np.float64]:
    """Spread and mean size of differences of Gaussians, from noise to organs."""
    found = []
    for fine, coarse in BANDS_PX:
        sharp = ndimage.gaussian_filter(image, fine) if fine else image
        band = sharp - ndimage.gaussian_filter(image, coarse)
        found += [np.log(band.std() + 0.1), np.log(np.abs(band).mean() + 0.1)]
    return np.array(found)


def _patterns(image: FloatArray) -> NDArray[np.float64]:
    """Shares of uniform local binary patterns (Ojala et al. 2002; 8 points, radius 1.5 px) within tissue."""
    from skimage.feature import local_binary_pattern

    codes = local_binary_pattern(image.astype(np.uint8), 8, 1.5, "uniform").astype(int)  # type: ignore[no-untyped-call]
    tissue = ndimage.gaussian_filter(image, 3) > 20
    counts = np.bincount(codes[tissue], minlength=PATTERNS)
    return np.asarray(counts / max(int(tissue.sum()), 1))
