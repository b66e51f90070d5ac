"""What would leak: the same patient, the same pixels, near-identical or neighbouring slices across splits."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.cnn.data.explore.catalogue import Catalogue, Item

Pair = tuple[int, int]
THUMBNAIL = 32
BLOCK = 1024
# Whole slices whose thumbnails correlate this well were the same patient in 668 of 670 pairs of IQ-OTH/NCCD.
# Crops centred on something small look alike without being the same, and need more.
ALIKE, ALIKE_CROPS = 0.95, 0.98
CROP_PX = 100
# Numbers that follow each other are slices that follow each other only if the pictures agree, too.
RELATED = 0.8
RANDOM_TEST_SHARE = 0.2
WORTH_SAYING = 0.01
UNBALANCED = 1.5


@dataclass(frozen=True)
class Finding:
    """One thing to say of a data set: `leak` forbids training on these splits as they are."""

    level: Literal["leak", "beware", "good"]
    sentence: str


@dataclass(frozen=True)
class Leakage:
    """Pairs of item numbers by kind, and what follows from them, worst first."""

    same_pixels: list[Pair]
    alike: list[Pair]
    neighbours: list[Pair]
    findings: list[Finding]

    @property
    def leaks(self) -> bool:
        return any(f.level == "leak" for f in self.findings)


def same_pixels(items: Sequence[Item]) -> list[Pair]:
    """Pairs with the very same pixels, each item with the first of its kind."""
    first: dict[str, int] = {}
    pairs = []
    for number, item in enumerate(items):
        digest = hashlib.sha256(repr(item.grey.shape).encode() + item.grey.tobytes()).hexdigest()
        kept = first.setdefault(digest, number)
        if kept != number and item.grey.std() > 0:
            pairs.append((kept, number))
    return pairs


def thumbnails(items: Sequence[Item]) -> NDArray[np.float32]:
    """(n, 1024) pictures of 32 x 32, each with mean 0 and length 1."""
    size = (THUMBNAIL, THUMBNAIL)
    small = [
        np.asarray(Image.fromarray(i.grey).resize(size, Image.Resampling.BOX), np.float32) for i in items
    ]
    flat = np.stack([s.ravel() - s.mean() for s in small])
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), np.float32)


def alike(items: Sequence[Item]) -> list[Pair]:
    """Pairs whose thumbnails correlate highly, the same pixels left out."""
    limit = ALIKE if min(min(i.grey.shape) for i in items) >= CROP_PX else ALIKE_CROPS
    small, same = thumbnails(items), set(same_pixels(items))
    pairs = []
    for start in range(0, len(small), BLOCK):
        found = small[start : start + BLOCK] @ small.T >= limit
        pairs += [(int(i) + start, int(j)) for i, j in np.argwhere(found) if i + start < j]
    return [p for p in pairs if p not in same]


def neighbours(items: Sequence[Item], distance: float) -> list[Pair]:
    """Pairs of slices of one stack, at most `distance` apart, that look related."""
    stacks: dict[str, list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        if item.series and item.position is not None:
            stacks[item.series].append(number)
    ordered = [sorted(those, key=lambda n: items[n].position or 0) for those in stacks.values()]
    beside = [pair for those in ordered for pair in pairwise(those)]
    near = [(a, b) for a, b in beside if _apart(items[a], items[b]) <= distance]
    if not near:
        return []
    small = thumbnails(items)
    return [(a, b) for a, b in near if float(small[a] @ small[b]) >= RELATED]


def _apart(one: Item, other: Item) -> float:
    return abs((one.position or 0) - (other.position or 0))


def crossing(pairs: Iterable[Pair], splits: Sequence[str]) -> list[Pair]:
    """Those whose two ends lie in different splits."""
    return [(a, b) for a, b in pairs if splits[a] and splits[b] and splits[a] != splits[b]]


def patients_across(items: Sequence[Item], splits: Sequence[str]) -> list[str]:
    """Patients with pictures in more than one split."""
    seen: dict[str, set[str]] = defaultdict(set)
    for item, split in zip(items, splits, strict=True):
        if split:
            seen[item.patient].add(split)
    return sorted(patient for patient, those in seen.items() if len(those) > 1)


def random_split(count: int, seed: int = 0) -> list[str]:
    """A split that ignores patients: what somebody in a hurry would do."""
    drawn = np.random.default_rng(seed).random(count) < RANDOM_TEST_SHARE
    return ["test" if d else "train" for d in drawn]


def leakage(data: Catalogue) -> Leakage:
    """Everything that crosses or would cross."""
    same, near = same_pixels(data.items), alike(data.items)
    beside = neighbours(data.items, data.neighbour)
    findings = [
        *_of_random_split(data, same, near),
        *_of_given_splits(data, same, near, beside),
        *_of_class_balance(data.items),
        *_of_other_splits(data),
        *_of_unknown_patients(data, near),
    ]
    order = ("leak", "beware", "good")
    return Leakage(same, near, beside, sorted(findings, key=lambda f: order.index(f.level)))


def _of_given_splits(
    data: Catalogue, same: list[Pair], near: list[Pair], beside: list[Pair]
) -> list[Finding]:
    splits = [item.split for item in data.items]
    if not any(splits):
        return [Finding("beware", "The data come without splits. Split by patient, not by picture.")]
    found = []
    patients = patients_across(data.items, splits)
    if patients:
        shown = ", ".join(patients[:3]) + (" ..." if len(patients) > 3 else "")
        found.append(Finding("leak", f"{many(len(patients), 'patient')} in more than one split: {shown}."))
    for pairs, what in ((same, "with the same pixels"), (beside, "of neighbouring slices")):
        if crossed := crossing(pairs, splits):
            found.append(Finding("leak", f"{many(len(crossed), 'pair')} {what} across the given splits."))
    if crossed := crossing(near, splits):
        told = (
            f"{many(len(crossed), 'pair')} of near-identical pictures across the given splits: look at them."
        )
        found.append(Finding("beware", told))
    if inside := len(same) - len(crossing(same, splits)):
        told = (
            f"{many(inside, 'pair')} with the same pixels within a split: they count twice in every figure."
        )
        found.append(Finding("beware", told))
    if not any(f.level == "leak" for f in found):
        kind = "patient" if data.patients_known else "picture"
        found.append(Finding("good", f"The given splits keep each {kind} in one split; no pixels cross."))
    return found


def _of_random_split(data: Catalogue, same: list[Pair], near: list[Pair]) -> list[Finding]:
    """What a random split would do, drawn once."""
    drawn = random_split(len(data.items))
    crossed = crossing([*same, *near], drawn)
    patients = len({i.patient for i in data.items})
    found = []
    test = {n for pair in crossed for n in pair if drawn[n] == "test"}
    share = len(test) / max(drawn.count("test"), 1)
    if share >= WORTH_SAYING:
        told = (
            f"Do not split this at random: {many(len(crossed), 'pair')} of near-identical pictures"
            f" would cross ({share:.0%} of the test pictures would have a twin in training)."
        )
        found.append(Finding("beware", told))
    if patients < len(data.items):
        shared = len(patients_across(data.items, drawn))
        told = f"{len(data.items)} pictures are of {many(patients, 'patient or group')}"
        found.append(Finding("beware", f"{told}: a random split would tear {shared} of them apart."))
    return found


def _of_class_balance(items: Sequence[Item]) -> list[Finding]:
    """Whether saying the most frequent label every time would look good."""
    counted = Counter(item.label for item in items)
    label, count = counted.most_common(1)[0]
    share = count / len(items)
    if len(counted) < 2 or share * len(counted) < UNBALANCED:
        return []
    told = f"{share:.0%} of the pictures are '{label}', which is the accuracy of always saying so"
    return [Finding("beware", f"{told}: give balanced accuracy or AUC.")]


def _of_other_splits(data: Catalogue) -> list[Finding]:
    """Columns of the source that split the data, too; nobody has to use them."""
    found = []
    for name in sorted({n for i in data.items for n in i.other_splits}):
        splits = [item.other_splits.get(name, "") for item in data.items]
        if torn := patients_across(data.items, splits):
            torn_apart = many(len(torn), "patient or group")
            told = f"The column {name} leaks: it tears {torn_apart} apart. Do not use it."
            found.append(Finding("beware", told))
    return found


def _of_unknown_patients(data: Catalogue, near: list[Pair]) -> list[Finding]:
    if data.patients_known:
        return []
    told = "Nobody says which pictures are of one patient"
    more = f"; {many(len(near), 'pair')} of near-identical pictures say that some are" if near else ""
    return [Finding("beware", f"{told}{more}. Add images.csv with file, label, group and split.")]


def many(count: int, noun: str) -> str:
    if count == 1:
        return f"1 {noun}"
    return f"{count} {'groups or patients' if noun == 'patient or group' else noun + 's'}"


def clusters(pairs: Iterable[Pair], count: int) -> list[list[int]]:
    """Items joined by pairs, the largest first; single items left out."""
    group = list(range(count))

    def root(n: int) -> int:
        while group[n] != n:
            n = group[n]
        return n

    for a, b in pairs:
        group[root(b)] = root(a)
    joined: dict[int, list[int]] = defaultdict(list)
    for n in range(count):
        joined[root(n)].append(n)
    return sorted((those for those in joined.values() if len(those) > 1), key=len, reverse=True)
