"""A batch of files from one person: each gets its outcome, and a bad one never stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from django.db import transaction

from accounts.models import Site
from scans import limits
from scans.dicom.pictures import START_BYTES, is_picture
from scans.durable import Chunks
from scans.ingest.archives import ArchiveRefused, is_zip, members
from scans.ingest.arrivals import INSTANCES, Arrival, Refusal, identify
from scans.ingest.bundle import Bundle
from scans.ingest.pictures import as_capture
from scans.ingest.receive import Outcome, Receipt, receive
from scans.ingest.room import NO_SPACE, OVER_QUOTA, room_at
from scans.models import Instance, Upload, UploadedFile
from scans.storage import Spooled, TooLarge, is_full, spool

if TYPE_CHECKING:
    from accounts.models import Person

Check = Callable[[Arrival], Arrival | Refusal]
COMMIT_EVERY = 100
READERS = 8
"""Batches of one process that are looked at beside the threads that receive them."""


@dataclass(frozen=True)
class Taken:
    """A file that was taken, and the write that makes its bytes durable."""

    arrival: Arrival | Refusal
    write: Future[None] | None = None

    def settled(self) -> Arrival | Refusal:
        """What arrived, once it is durable; refused where the disk was full."""
        if self.write is None:
            return self.arrival
        try:
            self.write.result()
        except OSError as error:
            if not is_full(error):
                raise
            return NO_SPACE
        return self.arrival


def _settle(waiting: Sequence[Taken]) -> None:
    for taken in waiting:
        if taken.write is not None:
            taken.write.result()


class Batch:
    """Takes files one by one; `finish` files the rest, records the outcomes and returns the receipts.

    A context: what is left when the sender goes away in the middle is not kept.

    Bytes go to the disk while the next file arrives. Every hundred files are filed and committed on the way,
    so that memory stays flat.

    `takes_pictures`: plain pictures become Secondary Captures instead of being refused.

    Raises
    ------
    StorageFull : there is no room for the announced number of bytes; nothing was taken.
    """

    takes_pictures = False

    def __init__(
        self, site: Site, person: Person | None, road: Upload.Road, announced_bytes: int = 0
    ) -> None:
        self.room = room_at(site, announced_bytes)
        self.site, self.person, self.road = site, person, road
        self.receipts: list[Receipt] = []
        self._waiting: list[Taken] = []
        self._ahead: Future[Taken] | None = None
        self._bundle = Bundle(INSTANCES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ahead is not None:
            wait([self._ahead])
        self._bundle.drop()

    def take(self, chunks: Chunks, check: Check | None = None) -> None:
        """Take one file."""
        try:
            with spool(chunks, limits.LARGEST_INSTANCE_BYTES) as spooled:
                self._take_spooled(spooled, check)
        except TooLarge:
            limit = limits.LARGEST_INSTANCE_BYTES >> 20
            self.refuse(
                Refusal("TOO_LARGE", f"The file is larger than {limit} MB. Send it as single images.")
            )
        except OSError as error:
            self._refuse_for_space(error)

    def take_file_or_zip(self, chunks: Chunks) -> int:
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
            self.refuse(Refusal("TOO_LARGE", f"The file is larger than {limit} MB. Send it in parts."))
        except OSError as error:
            self._refuse_for_space(error)
        return self._count - before

    def finish(self) -> list[Receipt]:
        """File the rest and record the outcomes, in one commit of the database."""
        self._collect()
        with transaction.atomic():
            self._file()
            self._record()
        return self.receipts

    @property
    def _count(self) -> int:
        return len(self.receipts) + len(self._waiting) + (self._ahead is not None)

    def _take_zip(self, spooled: Spooled) -> None:
        try:
            for member in members(spooled.file):
                if isinstance(member, Refusal):
                    self.refuse(member)
                else:
                    self.take(member)
        except ArchiveRefused as refused:
            self.refuse(Refusal(refused.code, refused.sentence))

    def refuse(self, refusal: Refusal) -> None:
        """Note a file that is not taken."""
        self._add(Taken(refusal))

    def _refuse_for_space(self, error: OSError) -> None:
        if not is_full(error):
            raise error
        self.refuse(NO_SPACE)

    def _take_picture(self, spooled: Spooled) -> None:
        made = as_capture(spooled)
        if isinstance(made, Refusal):
            self.refuse(made)
            return
        with made:
            self._take_spooled(made, None)

    def _take_spooled(self, spooled: Spooled, check: Check | None) -> None:
        self._collect()
        if self.takes_pictures and is_picture(spooled.start(START_BYTES)):
            self._take_picture(spooled)
        elif self.room.has(spooled.size):
            self._ahead = _readers().submit(self._read, spooled.handed_over(), check)
        else:
            self._add(self._without_room(spooled, check))

    def _read(self, spooled: Spooled, check: Check | None) -> Taken:
        """Runs beside the request's thread, which receives the next file meanwhile."""
        with spooled:
            arrival = _identified(spooled, check)
            if isinstance(arrival, Refusal):
                return Taken(arrival)
            self.room.take(arrival.size)
            return Taken(arrival, self._bundle.add(spooled))

    def _without_room(self, spooled: Spooled, check: Check | None) -> Taken:
        """What is stored already takes no room."""
        arrival = _identified(spooled, check)
        if isinstance(arrival, Refusal):
            return Taken(arrival)
        uid = arrival.header.sop_instance_uid
        same = Instance.objects.filter(site=self.site, sop_instance_uid=uid, sha256=arrival.sha256)
        return Taken(arrival, self._bundle.add(spooled)) if same.exists() else Taken(OVER_QUOTA)

    def _add(self, taken: Taken) -> None:
        self._collect()
        self._note(taken)

    def _collect(self) -> None:
        """Note the file before, which was looked at meanwhile."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return
        try:
            taken = ahead.result()
        except OSError as error:
            if not is_full(error):
                raise
            taken = Taken(NO_SPACE)
        self._note(taken)

    def _note(self, taken: Taken) -> None:
        self._waiting.append(taken)
        if len(self._waiting) >= COMMIT_EVERY:
            self._file()

    def _file(self) -> None:
        """File what waits; the rows are made while the last bytes go to the disk."""
        self._bundle.flush()
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            self.receipts += receive(
                self.site, [taken.arrival for taken in waiting], settle=partial(_settle, waiting)
            )
        except OSError as error:
            if not is_full(error):
                raise
            self.receipts += receive(self.site, [taken.settled() for taken in waiting])

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


def _identified(spooled: Spooled, check: Check | None) -> Arrival | Refusal:
    arrival = identify(spooled)
    return check(arrival) if check and isinstance(arrival, Arrival) else arrival


@cache
def _readers() -> ThreadPoolExecutor:
    """Made at the first use, so that a forked web process has threads of its own."""
    return ThreadPoolExecutor(READERS, thread_name_prefix="readers")


def receive_batch(person: Person, site: Site, files: Iterable[Any], road: Upload.Road) -> dict[str, Any]:
    """Take uploaded files (with `name` and `chunks()`), and say for each what became of it.

    File names are echoed in the answer and never stored: they often hold a patient's name.
    """
    files = list(files)
    with Batch(site, person, road) as batch:
        # Beside DICOM files pictures are those of the viewer on a disc, not slices.
        batch.takes_pictures = all(is_picture(next(iter(file.chunks()), b"")) for file in files)
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
