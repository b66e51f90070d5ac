"""The malignancy network is put together from members and a head that were fitted apart."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.networks


def test_the_whole_says_what_its_members_and_its_head_say() -> None:
    from inference.cnn import planar
    from inference.cnn.features import FEATURES
    from inference.cnn.malignancy import OUTPUTS
    from inference.cnn.training.ensemble import SHAPE, Head, Member, assembled, by_layer, products

    rng = np.random.default_rng(0)
    alone = [planar.malignancy(SHAPE, FEATURES, 1, OUTPUTS) for _ in range(2)]
    members = [Member(by_layer(model), np.arange(0), np.zeros(0)) for model in alone]
    count = FEATURES + FEATURES**2
    head = Head(
        rng.normal(size=FEATURES),
        rng.uniform(1, 2, FEATURES),
        rng.normal(0, 0.02, (count, OUTPUTS)),
        rng.normal(size=OUTPUTS),
    )
    given = [
        rng.normal(size=(3, *SHAPE)).astype(np.float32),
        rng.normal(size=(3, FEATURES)).astype(np.float32),
    ]

    said = assembled(members, head).predict(given, verbose=0).reshape(3, 3, OUTPUTS)

    for number, model in enumerate(alone):
        own = model.predict(given, verbose=0).reshape(3, 2, OUTPUTS)[:, 0]
        np.testing.assert_allclose(said[:, number], own, rtol=1e-3, atol=1e-4)
    numbers = products(given[1].astype(float), head.mean, head.variance) @ head.weights + head.constants
    np.testing.assert_allclose(said[:, 2], numbers, rtol=1e-3, atol=1e-3)


def test_the_calibration_finds_what_made_the_labels() -> None:
    from inference.cnn.training.ensemble import calibration

    rng = np.random.default_rng(1)
    deep, alone = rng.normal(size=4000), rng.normal(size=4000)
    above = rng.random(4000) < 1 / (1 + np.exp(-(-0.5 + 2.0 * deep + 1.0 * alone)))

    assert calibration(deep, alone, above) == pytest.approx([-0.5, 2.0, 1.0], abs=0.2)
