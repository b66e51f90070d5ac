"""A batch of files from one person: each gets its outcome, and a bad one never stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.models import Site
from core.problems import UserError
from scans import limits
from scans.ingest.archives import ArchiveRefused, is_zip, members
from scans.ingest.arrivals import Arrival, Refusal, arrive
from scans.ingest.receive import Outcome, Receipt, receive
from scans.models import Upload, UploadedFile
from scans.storage import Spooled, TooLarge, free_bytes, spool

if TYPE_CHECKING:
    from accounts.models import Person

Check = Callable[[Arrival], Arrival | Refusal]
COMMIT_EVERY = 100


class StorageFull(UserError):
    status = 507


class Batch:
    """Takes files one by one; `finish` files the rest, records the outcomes and returns the receipts.

    Every hundred files are filed and committed on the way, so that memory stays flat.
    """

    def __init__(self, site: Site, person: Person, road: Upload.Road) -> None:
        _require_space()
        self.site, self.person, self.road = site, person, road
        self.receipts: list[Receipt] = []
        self._waiting: list[Arrival | Refusal] = []

    def take(self, chunks: Iterable[bytes], check: Check | None = None) -> None:
        """Take one file."""
        try:
            with spool(chunks, limits.LARGEST_INSTANCE_BYTES) as spooled:
                self._take_spooled(spooled, check)
        except TooLarge:
            limit = limits.LARGEST_INSTANCE_BYTES >> 20
            self._add(Refusal("TOO_LARGE", f"The file is larger than {limit} MB. Send it as single images."))

    def take_file_or_zip(self, chunks: Iterable[bytes]) -> int:
        """Take a file, or each member of a zip; returns how many outcomes that makes."""
        before = self._count
        try:
            with spool(chunks, limits.LARGEST_UPLOAD_BYTES) as spooled:
                if is_zip(spooled.file):
                    self._take_zip(spooled)
                else:
                    self._take_spooled(spooled, None)
        except TooLarge:
            limit = limits.LARGEST_UPLOAD_BYTES >> 20
            self._add(Refusal("TOO_LARGE", f"The file is larger than {limit} MB. Send it in parts."))
        return self._count - before

    def finish(self) -> list[Receipt]:
        self._file()
        self._record()
        return self.receipts

    @property
    def _count(self) -> int:
        return len(self.receipts) + len(self._waiting)

    def _take_zip(self, spooled: Spooled) -> None:
        try:
            for member in members(spooled.file):
                if isinstance(member, Refusal):
                    self._add(member)
                else:
                    self.take(member)
        except ArchiveRefused as refused:
            self._add(Refusal(refused.code, refused.sentence))

    def _take_spooled(self, spooled: Spooled, check: Check | None) -> None:
        arrival = arrive(spooled)
        self._add(check(arrival) if check and isinstance(arrival, Arrival) else arrival)

    def _add(self, arrival: Arrival | Refusal) -> None:
        self._waiting.append(arrival)
        if len(self._waiting) >= COMMIT_EVERY:
            self._file()

    def _file(self) -> None:
        self.receipts += receive(self.site, self._waiting)
        self._waiting = []

    @transaction.atomic
    def _record(self) -> None:
        outcomes = [receipt.outcome for receipt in self.receipts]
        refused = sum(outcome in (Outcome.REFUSED, Outcome.QUARANTINED) for outcome in outcomes)
        self.upload = Upload.objects.create(
            site=self.site,
            person=self.person,
            road=self.road,
            stored=outcomes.count(Outcome.STORED),
            duplicates=outcomes.count(Outcome.DUPLICATE),
            refused=refused,
        )
        UploadedFile.objects.bulk_create(list(self._files()))

    def _files(self) -> Iterator[UploadedFile]:
        for position, receipt in enumerate(self.receipts):
            yield UploadedFile(
                upload=self.upload,
                position=position,
                outcome=receipt.outcome,
                code=receipt.code,
                sentence=receipt.sentence[:300],
                instance=receipt.instance,
            )


def _require_space() -> None:
    free = free_bytes()
    if free is not None and free < limits.LEAST_FREE_BYTES:
        raise StorageFull(
            "storage_full", "The storage is full: nothing was taken. Tell the administrator, then send again."
        )


def receive_batch(person: Person, site: Site, files: Iterable[Any], road: Upload.Road) -> dict[str, Any]:
    """Take uploaded files (with `name` and `chunks()`), and say for each what became of it.

    File names are echoed in the answer and never stored: they often hold a patient's name.
    """
    batch = Batch(site, person, road)
    names: list[str] = []
    for file in files:
        made = batch.take_file_or_zip(file.chunks())
        names += [file.name] if made == 1 else [f"{file.name} ({n + 1})" for n in range(made)]
    receipts = batch.finish()
    upload = batch.upload
    return {
        "id": str(upload.pk),
        "stored": upload.stored,
        "duplicates": upload.duplicates,
        "refused": upload.refused,
        "files": [_line(name, receipt) for name, receipt in zip(names, receipts, strict=True)],
    }


def _line(name: str, receipt: Receipt) -> dict[str, Any]:
    study = receipt.study
    return {
        "name": name,
        "outcome": str(receipt.outcome),
        "code": receipt.code,
        "sentence": receipt.sentence,
        "study_instance_uid": study.study_instance_uid if study else None,
        "study_url": f"/studies/{study.pk}/" if study else None,
    }
