"""A manifest pins every file of a data set by its hash and every patient to one split.

Training on "the same data" is a claim that can be checked only with the files' hashes beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

VERSION = 1
SHARES = {"train": 0.7, "val": 0.15, "heldout": 0.15}


class ManifestError(Exception):
    """The data are not those of the manifest, or the manifest contradicts itself. The text says where."""


@dataclass(frozen=True)
class Manifest:
    """`files` maps paths below the folder to sha256; `splits` maps each split to its patients.

    Raises
    ------
    ManifestError : a patient stands in two splits.
    """

    layout: str
    seed: int
    files: Mapping[str, str]
    splits: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for split, patients in self.splits.items():
            for patient in patients:
                if seen.setdefault(patient, split) != split:
                    raise ManifestError(
                        f"Patient {patient} stands in {seen[patient]} and in {split}. Keep each in one split."
                    )

    def split_of(self, patient_id: str) -> str:
        """The split of a patient; KeyError for one who is not listed."""
        for split, patients in self.splits.items():
            if patient_id in patients:
                return split
        raise KeyError(f"The manifest lists no patient {patient_id}.")

    def verify(self, folder: Path) -> None:
        """Hold every file against its hash.

        Raises
        ------
        ManifestError : files that are missing or changed, with their names.
        """
        missing = [name for name in self.files if not (folder / name).is_file()]
        if missing:
            raise ManifestError(f"{_some(missing)} of the manifest {_are(missing)} missing in {folder.name}.")
        changed = [name for name, told in self.files.items() if sha256_of(folder / name) != told]
        if changed:
            raise ManifestError(
                f"{_some(changed)} {_are(changed)} not what the manifest pinned: restore it, or pin anew."
            )

    def save(self, path: Path) -> None:
        stored = {
            "version": VERSION,
            "layout": self.layout,
            "seed": self.seed,
            "files": dict(sorted(self.files.items())),
            "splits": {split: sorted(patients) for split, patients in self.splits.items()},
        }
        path.write_text(json.dumps(stored, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read a manifest that `save` wrote.

        Raises
        ------
        ManifestError : not a manifest, or one that contradicts itself.
        """
        try:
            stored = json.loads(path.read_text())
            splits = {split: tuple(patients) for split, patients in stored["splits"].items()}
            return cls(stored["layout"], int(stored["seed"]), dict(stored["files"]), splits)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"{path.name} is not a manifest of a data set. Make it anew.") from error


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more files"


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def split_by_hash(patient_id: str, seed: int, shares: Mapping[str, float] = SHARES) -> str:
    """The split of a patient: depends on seed and identifier alone, so that new patients move nobody.

    Raises
    ------
    ValueError : shares that do not add up to 1.
    """
    if abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values()) < 0:
        raise ValueError(f"The shares of the splits must add up to 1, not {sum(shares.values()):g}.")
    digest = hashlib.sha256(f"{seed}/{patient_id}".encode()).digest()
    drawn, reached = int.from_bytes(digest[:8], "big") / 2**64, 0.0
    for split, share in shares.items():
        reached += share
        if drawn < reached:
            return split
    return list(shares)[-1]


def pin(
    folder: Path,
    layout: str,
    patients: Mapping[str, str],
    *,
    seed: int = 0,
    shares: Mapping[str, float] = SHARES,
    leave_out: Iterable[Path] = (),
) -> Manifest:
    """A manifest of every file below `folder`.

    `patients` maps each patient to the split that the data set gives, or to "" to have one drawn.
    """
    left_out = {path.resolve() for path in leave_out}
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.resolve() not in left_out)
    files = {p.relative_to(folder).as_posix(): sha256_of(p) for p in paths}
    splits: dict[str, list[str]] = {}
    for patient, given in sorted(patients.items()):
        splits.setdefault(given or split_by_hash(patient, seed, shares), []).append(patient)
    return Manifest(layout, seed, files, {split: tuple(those) for split, those in splits.items()})
