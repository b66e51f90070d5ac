"""The optional layer shows what the network reacts to, not what the image looks like (Adebayo, 2018)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from inference.cnn.candidates import Candidate
from inference.cnn.networks import load_networks
from inference.cnn.outlines import Outlined
from inference.cnn.reduction import Judged
from scans.dicom.geometry import Geometry
from scans.dicom.orientation import standard

pytestmark = pytest.mark.networks

SHAPE = (40, 96, 96)
SPACING = (1.5, 0.7, 0.7)
CENTER = (20, 50, 44)


@pytest.fixture(scope="module")
def volume() -> NDArray[np.int16]:
    """A rough nodule of about 12 mm beside a vessel, in noisy lung."""
    rng = np.random.default_rng(4)
    z, y, x = ((np.indices(SHAPE)[a] - CENTER[a]) * SPACING[a] for a in range(3))
    radius = 6 + 0.8 * np.sin(5 * np.arctan2(y, x)) + 0.02 * z
    hu = np.where(z**2 + y**2 + x**2 <= radius**2, 30, -860)
    hu = np.where((np.hypot(y - 14, z) <= 2), 20, hu)
    return (hu + rng.normal(0, 25, SHAPE)).astype(np.int16)


@pytest.fixture(scope="module")
def outlined() -> Outlined:
    z, y, x = ((np.indices(SHAPE)[a] - CENTER[a]) * SPACING[a] for a in range(3))
    distance = np.sqrt(z**2 + y**2 + x**2)
    probability = (1 / (1 + np.exp(3 * (distance - 6)))).astype(np.float32)
    place = tuple(float(c * s) for c, s in zip(CENTER, SPACING, strict=True))
    judged = Judged(Candidate(place, 12.0, 0.9), 0.9)  # type: ignore[arg-type]
    return Outlined(judged, (0, 0, 0), probability >= 0.5, probability, (0.0, 0.0, 0.0), SPACING)


def test_a_map_lies_on_the_voxels_around_the_nodule(volume: NDArray[np.int16], outlined: Outlined) -> None:
    from inference.cnn.sensitivity import sensitivity_map

    placed = standard(volume, Geometry(SHAPE, SPACING, (0.0, 0.0, 0.0)))
    found = sensitivity_map(outlined, load_networks()["malignancy"], placed)

    inside = np.subtract(CENTER, found.start)
    assert (inside >= 0).all()
    assert (inside < found.values.shape).all()
    assert found.values.dtype == np.uint8
    assert int(found.values.max()) > 200


def test_a_map_does_not_depend_on_the_order_of_the_slices(
    volume: NDArray[np.int16], outlined: Outlined
) -> None:
    from inference.cnn.sensitivity import sensitivity_map

    network = load_networks()["malignancy"]
    corner = (0.0, 0.0, (SHAPE[0] - 1) * SPACING[0])
    turned = Geometry(SHAPE, SPACING, corner, ((1.0, 0, 0), (0, 1.0, 0), (0, 0, -1.0)))
    plain = sensitivity_map(outlined, network, standard(volume, Geometry(SHAPE, SPACING, (0.0, 0.0, 0.0))))
    flipped = sensitivity_map(outlined, network, standard(np.ascontiguousarray(volume[::-1]), turned))

    assert (flipped.values[::-1] == plain.values).all()
    assert flipped.start[0] == SHAPE[0] - plain.start[0] - plain.values.shape[0]


def test_maps_of_randomised_weights_differ_from_those_of_the_trained_network(
    volume: NDArray[np.int16], outlined: Outlined
) -> None:
    import keras

    from inference.cnn import loading
    from inference.cnn.malignancy import sample
    from inference.cnn.sensitivity import integrated_gradients

    keras.utils.set_random_seed(11)
    random = loading.build("malignancy")
    image, numbers = sample(volume, SPACING, outlined)
    trained_map = integrated_gradients(load_networks()["malignancy"].model, image, numbers)
    random_map = integrated_gradients(lambda x: random(x, training=False), image, numbers)

    for one, other in (
        (trained_map, random_map),
        (np.clip(trained_map, 0, None), np.clip(random_map, 0, None)),
    ):
        assert one.std() > 0
        assert abs(float(spearmanr(one.ravel(), other.ravel()).statistic)) < 0.3
