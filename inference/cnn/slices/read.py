"""One picture in, one answer out. Importing this needs no TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from inference.cnn.networks import LoadedNetworks, Network, load_networks
from inference.cnn.slices.anatomy import Anatomy, anatomy, assumed_hu, assumed_pixel_mm
from inference.cnn.slices.classifier import Classified, Confidence, classify, load_classifier
from inference.cnn.slices.features import SIDE, picture_features
from inference.cnn.slices.opening import Picture
from inference.cnn.slices.outlining import PictureOutline, outlines_on
from inference.cnn.slices.plausibility import NOT_CT, SMALLEST_LUNG, Remark, familiar, remarks_on

UNFAMILIAR = Remark(
    "UNFAMILIAR",
    "Its grey levels are unlike those of the pictures that the network learned from: the class means little.",
)
BLACK_LUNG = "No nodule can be outlined: in this window the inside of the lung is black."
NO_LUNG = "No nodule can be outlined, because no lung was found."
NONE_FOUND = "No nodule was found on this slice. That does not exclude one."
ASSUMED = "Outlined as if soft tissue were 40 HU, lung -850 HU and the body 35 cm wide; no sizes are given."
NO_SCALE = (
    "Outlined as if the body were 35 cm wide, because the file tells no pixel size; no sizes are given."
)
ONE_SLICE = "Outlined from one slice alone, three places at most: a vessel cut across looks like a nodule."


@dataclass(frozen=True)
class PictureReading:
    """What is said of one picture.

    `label`, `probability`, `probabilities` and `confidence` are None where it is no chest CT. `worth` says
    what the class is worth. `timings_s` is seconds per stage, `networks` sha256 by name.
    """

    label: str | None
    probability: float | None
    probabilities: Mapping[str, float] | None
    confidence: Confidence | None
    worth: str
    remarks: tuple[Remark, ...]
    outlines: tuple[PictureOutline, ...]
    outline_note: str
    networks: Mapping[str, str] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)


def worth_of(network: Network) -> str:
    """What a class is worth, from the figures in the manifest."""
    told = network.manifest["cross_validation"]
    low, high = told["balanced_accuracy_ci95"]
    return (
        "On patients that it had not seen, the network told normal, benign and malignant apart with a "
        f"balanced accuracy of {told['balanced_accuracy']:.2f} (95 % interval {low:.2f} to {high:.2f}; "
        f"guessing gives 0.33). It learned from {told['n_groups']} patients or parts of patients of one "
        "hospital, in pictures where the lung is black: it sees contrast medium, noise and scanner rather "
        "than the nodule. Research use only; a radiologist decides."
    )


def read_picture(
    picture: Picture,
    networks: Callable[[], LoadedNetworks] = load_networks,
    classifier: Callable[[], Network] = load_classifier,
) -> PictureReading:
    """Check, classify and outline one picture. The same picture gives the same answer.

    `networks` and `classifier` load what is needed, and are called only if it is needed.
    """
    start = time.perf_counter()
    found = anatomy(picture)
    remarks = remarks_on(picture, found)
    if any(r.code == NOT_CT for r in remarks):
        return PictureReading(None, None, None, None, "", tuple(remarks), (), "")
    network = classifier()
    classified, known = _classified(picture, network)
    if not known:
        remarks.insert(0, UNFAMILIAR)
    middle = time.perf_counter()
    outlines, note, hashes = _outlined(picture, found, networks)
    return PictureReading(
        label=classified.label,
        probability=classified.probability,
        probabilities=classified.probabilities,
        confidence=classified.confidence if known else "low",
        worth=worth_of(network),
        remarks=tuple(remarks),
        outlines=tuple(outlines),
        outline_note=note,
        networks={network.task: network.sha256, **hashes},
        timings_s={
            "class": round(middle - start, 3),
            "outline": round(time.perf_counter() - middle, 3),
        },
    )


def warm_up() -> None:
    """Read a bright square, so that the first real picture does not wait for the classifier to load."""
    grey = np.zeros((SIDE, SIDE), np.uint8)
    grey[SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4] = 120
    read_picture(Picture(grey))


def _classified(picture: Picture, network: Network) -> tuple[Classified, bool]:
    features = picture_features(picture.grey)
    return classify(features, network), familiar(features, network.manifest["familiar"])


def _outlined(
    picture: Picture, found: Anatomy, networks: Callable[[], LoadedNetworks]
) -> tuple[list[PictureOutline], str, dict[str, str]]:
    """Outlines, a sentence about what they rest on or why there are none, and who was asked."""
    if not found.lungs.any():
        return [], BLACK_LUNG if found.hollow >= SMALLEST_LUNG else NO_LUNG, {}
    hu = picture.hu if picture.hu is not None else assumed_hu(picture.grey, found)
    if hu is None:
        return [], BLACK_LUNG, {}
    loaded = networks()
    pixel_mm = picture.pixel_mm or assumed_pixel_mm(found)
    outlines = outlines_on(hu, pixel_mm, found.lungs, loaded, measured=picture.pixel_mm is not None)
    return outlines, _note(picture, outlines), loaded.networks


def _note(picture: Picture, outlines: list[PictureOutline]) -> str:
    if not outlines:
        return NONE_FOUND
    if picture.hu is None:
        return f"{ONE_SLICE} {ASSUMED}"
    return ONE_SLICE if picture.pixel_mm else f"{ONE_SLICE} {NO_SCALE}"
