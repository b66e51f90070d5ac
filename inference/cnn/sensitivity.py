"""Which voxels the malignancy rating depends on: integrated gradients. Sensitivity, not location.

Sundararajan, Taly and Yan (ICML 2017): the gradient of the rating along the straight way from air to the
image, times the difference. An optional layer: it is no outline and no explanation of a diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.cnn.malignancy import OUTPUTS, sample, view_place
from inference.cnn.networks import Network
from inference.cnn.outlines import Outlined
from inference.cnn.preprocessing import MALIGNANCY_SLICES
from inference.cnn.reading import SensitivityMap
from inference.cnn.resampling import sample_grid
from scans.dicom.geometry import Triple
from scans.dicom.orientation import Standard

STEPS = 8
AIR = -1.0
HU_CHANNELS = 2 * MALIGNANCY_SLICES
SMOOTHING_PIXELS = 1.0

FloatArray = NDArray[np.float32]


def integrated_gradients(rate: Callable[[Any], Any], image: FloatArray, numbers: FloatArray) -> FloatArray:
    """(slice, y, x): what each voxel adds to the mean malignancy logit of the members, with its sign.

    `rate` is the network as a function of [images, numbers]; `image` is (y, x, channels), of which the first
    HU_CHANNELS are the slices in two windows. Outline, coarseness and numbers stay as they are.
    """
    import tensorflow as tf

    start = image.copy()
    start[..., :HU_CHANNELS] = AIR
    parts = ((np.arange(STEPS, dtype=np.float32) + 0.5) / STEPS)[:, None, None, None]
    way = tf.constant(start + parts * (image - start))
    shown = tf.constant(np.repeat(numbers[None], STEPS, axis=0))
    with tf.GradientTape() as tape:
        tape.watch(way)
        rating = tf.reduce_sum(tf.reduce_mean(rate([way, shown])[:, ::OUTPUTS], axis=1))
    slope = tape.gradient(rating, way).numpy().mean(axis=0)
    share = (slope * (image - start))[..., :HU_CHANNELS]
    planes = np.moveaxis(share.reshape(*share.shape[:2], 2, MALIGNANCY_SLICES).sum(axis=2), -1, 0)
    return np.asarray(ndimage.gaussian_filter(planes, (0, SMOOTHING_PIXELS, SMOOTHING_PIXELS)), np.float32)


def sensitivity_map(found: Outlined, network: Network, placed: Standard) -> SensitivityMap:
    """Where the image raises the rating of one nodule, on the voxels of the given volume; 255 at the most.

    What lowers the rating is left out: amounts without their sign look alike for a trained network and for
    one of random weights (rank correlation 0.78 on eight val nodules, with the sign 0.00), so they would
    show the image, not the network (Adebayo et al., NeurIPS 2018).
    """
    image, numbers = sample(placed.hu, placed.geometry.spacing_mm, found)
    values = np.clip(integrated_gradients(network.model, image, numbers), 0, None)
    first_mm, steps_mm, _ = view_place(found)
    start, fine = on_voxels(values, first_mm, steps_mm, placed)
    scaled = np.rint(255 * fine / max(float(fine.max()), 1e-12)).astype(np.uint8)
    begin, turned = placed.back_box(start, scaled)
    return SensitivityMap(begin, turned)


def on_voxels(
    values: FloatArray, first_mm: Triple, steps_mm: Triple, placed: Standard
) -> tuple[tuple[int, int, int], FloatArray]:
    """(start, values) of a map among those voxels of the standard volume that it covers; at least a slice."""
    spacing, first = np.asarray(placed.geometry.spacing_mm), np.asarray(first_mm)
    last = first + (np.array(values.shape) - 1) * steps_mm
    low = np.clip(np.ceil(first / spacing - 1e-6), 0, np.array(placed.hu.shape) - 1).astype(int)
    high = np.clip(np.floor(last / spacing + 1e-6) + 1, low + 1, placed.hu.shape).astype(int)
    z, y, x = (float(v) for v in low * spacing - first)
    size = (int(high[0] - low[0]), int(high[1] - low[1]), int(high[2] - low[2]))
    fine = sample_grid(values, steps_mm, (z, y, x), size, placed.geometry.spacing_mm, smooth=False)
    return (int(low[0]), int(low[1]), int(low[2])), fine
