"""The malignancy network is put together from a trunk, members and a head that were fitted apart."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.networks


def test_the_trunk_sees_what_the_seeker_sees() -> None:
    import keras

    from inference.cnn import loading
    from inference.cnn.networks import WEIGHTS
    from inference.cnn.preprocessing import malignancy_input, outline_input, without_place
    from inference.cnn.training.trunk import seeker_trunk

    rng = np.random.default_rng(0)
    coarse, hu = 2, rng.uniform(-1100, 900, (5, 64, 64)).astype(np.float32)
    seeker = loading.build("seeker")
    seeker.load_weights(WEIGHTS / "seeker.weights.h5")
    deepest = [la.output for la in seeker.layers if la.output.shape[1:] == (4, 4, 128)][-1]
    spacing = np.array([[1.5, 0.65]], np.float32) * coarse
    slab = without_place(outline_input(hu[None], spacing, np.zeros(1, np.float32)))
    seen = keras.Model(seeker.input, deepest).predict(slab, verbose=0)[0]

    image = malignancy_input(hu, np.zeros_like(hu), coarse)
    said = seeker_trunk().predict(image[None], verbose=0)[0]

    channels = seen.shape[-1]
    np.testing.assert_allclose(said[-channels:] ** 2, seen.max(axis=(0, 1)), rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(
        said[-2 * channels : -channels] ** 2, seen.mean(axis=(0, 1)), rtol=1e-2, atol=1e-3
    )


def test_the_trunk_looks_within_the_outline() -> None:
    from inference.cnn.preprocessing import malignancy_input
    from inference.cnn.training.trunk import seeker_trunk

    hu = np.full((5, 64, 64), -850.0, np.float32)
    hu[:, 10:20, 10:20], hu[:, 40:50, 40:50] = 40.0, -400.0
    dense, hazy = np.zeros((2, 5, 64, 64), np.float32)
    dense[:, 10:20, 10:20] = hazy[:, 40:50, 40:50] = 1
    finest = slice(0, 16)

    trunk = seeker_trunk()
    one, other, again = (
        trunk.predict(malignancy_input(hu, outline, 1)[None], verbose=0)[0, finest]
        for outline in (dense, hazy, dense * 0.999)
    )

    assert np.abs(one - other).max() > 20 * np.abs(one - again).max()


def test_the_whole_says_what_its_members_and_its_head_say() -> None:
    from inference.cnn.features import FEATURES
    from inference.cnn.malignancy import OUTPUTS
    from inference.cnn.training.ensemble import Logistic, Usual, assembled, products
    from inference.cnn.training.trunk import SHAPE, seeker_trunk

    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (3, *SHAPE)).astype(np.float32)
    numbers = rng.normal(size=(3, FEATURES)).astype(np.float32)
    trunk = seeker_trunk()
    looked = trunk.predict(images, verbose=0).astype(float)

    def some(count: int) -> Logistic:
        return Logistic(rng.normal(0, 0.02, (count, OUTPUTS)), rng.normal(size=OUTPUTS))

    members = [some(looked.shape[1] + FEATURES) for _ in range(2)]
    head = some(FEATURES + FEATURES**2)
    usual_seen = Usual(looked.mean(axis=0), np.full(looked.shape[1], 0.5))
    usual = Usual(rng.normal(size=FEATURES), rng.uniform(1, 2, FEATURES))

    whole = assembled(trunk, members, head, usual_seen, usual)
    said = whole.predict([images, numbers], verbose=0).reshape(3, 3, OUTPUTS)

    known = np.clip(usual(numbers.astype(float)), -4, 4)
    for number, member in enumerate(members):
        expected = member(np.c_[usual_seen(looked), known])
        np.testing.assert_allclose(said[:, number], expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(said[:, 2], head(products(known)), rtol=1e-3, atol=1e-3)


def test_a_member_finds_what_made_the_targets() -> None:
    from inference.cnn.malignancy import OUTPUTS
    from inference.cnn.training.ensemble import Shown, member

    rng = np.random.default_rng(2)
    seen, known = rng.normal(size=(2000, 200)), rng.normal(size=(2000, 5))
    truth = 1 / (1 + np.exp(-(1.5 * seen[:, :3].sum(axis=1) + known[:, 0])))
    values = np.repeat(truth[:, None], OUTPUTS, axis=1)
    shown = Shown(seen, known, values, np.ones_like(values), np.arange(2000))
    rows, others = np.arange(1500), np.arange(1500, 2000)

    said = member(shown, rows)(np.c_[seen[others], known[others]])

    assert np.corrcoef(said[:, 0], np.log(truth[others] / (1 - truth[others])))[0, 1] > 0.6
    assert said.shape == (500, OUTPUTS)


def test_the_calibration_weighs_both_alike_and_finds_what_made_the_labels() -> None:
    from inference.cnn.training.ensemble import calibration

    rng = np.random.default_rng(1)
    deep, alone = rng.normal(size=4000), rng.normal(size=4000)
    above = rng.random(4000) < 1 / (1 + np.exp(-(-0.5 + 1.5 * deep + 1.5 * alone)))

    assert calibration(deep, alone, above) == pytest.approx([-0.5, 1.5, 1.5], abs=0.2)
