"""Files from a disk into the one ingest path, in groups, with a tally of what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accounts.models import Site
from scans.ingest.arrivals import Refusal
from scans.ingest.folders import DICOMDIR, UNREADABLE, Found, Unreadable, Unusable
from scans.ingest.receive import Outcome, Receipt
from scans.models import Upload
from scans.uploads import Batch

GROUP = 100
MOST_NAMED = 10_000
KEPT = (Outcome.STORED, Outcome.DUPLICATE)


@dataclass
class Tally:
    """What became of the files so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    sentences: dict[str, str] = field(default_factory=dict)
    not_taken: list[tuple[Path, str]] = field(default_factory=list)
    studies: set[str] = field(default_factory=set)
    files: int = 0
    bytes: int = 0

    def note(self, path: Path, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            if receipt.code == DICOMDIR:
                self.outcomes["skipped"] += 1
                continue
            self.outcomes[receipt.outcome] += 1
            if receipt.outcome in KEPT and receipt.study is not None:
                self.studies.add(receipt.study.study_instance_uid)
            elif receipt.outcome not in KEPT:
                self._note_not_taken(path, receipt)

    def _note_not_taken(self, path: Path, receipt: Receipt) -> None:
        self.codes[receipt.code] += 1
        self.sentences[receipt.code] = receipt.sentence
        if len(self.not_taken) < MOST_NAMED:
            self.not_taken.append((path, receipt.code))

    @property
    def all_kept(self) -> bool:
        return not self.codes

    def to_json(self) -> dict[str, Any]:
        return {
            **{str(outcome): self.outcomes[outcome] for outcome in Outcome},
            "skipped": self.outcomes["skipped"],
            "files": self.files,
            "bytes": self.bytes,
            "studies": sorted(self.studies),
            "refusals": [
                {"code": code, "count": count, "sentence": self.sentences[code]}
                for code, count in self.codes.most_common()
            ],
            "not_taken": [{"path": str(path), "code": code} for path, code in self.not_taken],
        }


def take_in(site: Site, group: Iterable[Found | Unusable], tally: Tally) -> list[tuple[Found, bool]]:
    """Store a group of files durably; returns each with whether all of it was kept.

    Raises
    ------
    StorageFull : there is no room; nothing of the group was taken.
    """
    group = list(group)
    announced = sum(one.size for one in group if isinstance(one, Found))
    with Batch(site, None, Upload.Road.COMMAND, announced) as batch:
        made = [_take(batch, one) for one in group]
        receipts = batch.finish()
    done, at = [], 0
    for one, count in zip(group, made, strict=True):
        mine = receipts[at : at + count]
        at += count
        tally.note(one.path, mine)
        if isinstance(one, Found):
            tally.files, tally.bytes = tally.files + 1, tally.bytes + one.size
            done.append((one, all(receipt.outcome in KEPT for receipt in mine)))
    return done


def _take(batch: Batch, one: Found | Unusable) -> int:
    """Take one file or the members of a zip; returns how many outcomes that makes."""
    if isinstance(one, Unusable):
        return _refused(batch, one.refusal)
    try:
        return batch.take_file_or_zip(one.chunks())
    except Unreadable:
        return _refused(batch, UNREADABLE)


def _refused(batch: Batch, refusal: Refusal) -> int:
    batch.refuse(refusal)
    return 1
