"""C-STORE: what one peer sends over one association, each object acknowledged when it is durable."""

from __future__ import annotations

import logging
import struct
import time
from dataclasses import dataclass
from itertools import chain

from django.db import DatabaseError, close_old_connections, transaction
from pydicom import Dataset

from core.problems import UserError
from scans.dimse.guarded import DataSet
from scans.ingest.arrivals import INSTANCES, Arrival, Refusal, identify
from scans.ingest.bundle import Bundle
from scans.ingest.filing import Drawer
from scans.ingest.reasons import (
    DOES_NOT_MATCH,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    TOO_LARGE,
    failure_reason,
)
from scans.ingest.receive import Outcome, Receipt, Settle, durable_already, receive
from scans.ingest.room import NO_SPACE, OVER_QUOTA, Room, room_at
from scans.models import Peer, Upload, UploadedFile
from scans.storage import Spooled, StorageFull, is_full, spool

logger = logging.getLogger(__name__)

SUCCESS = 0x0000
COMMENT_LENGTH = 64  # PS3.7 C.4.1: Error Comment (0000,0902) is an LO

IMPLEMENTATION_UID = b"2.25.141906471620236163937118366083412353821"
IMPLEMENTATION_NAME = b"LUNGPORTAL"
RECORD_EVERY = 500
LOOK_AT_ROOM_EVERY = 100
BELIEVED_S = 2.0
NOT_AS_ANNOUNCED = "NOT_AS_ANNOUNCED"


@dataclass(frozen=True)
class Command:
    """What the command set of a C-STORE request says of its data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str

    def file_head(self) -> bytes:
        """Preamble and file meta information (PS3.10 section 7.1).

        It names neither the sender nor the time, so that the same object from two senders is the same file.
        """
        elements = b"".join(
            (
                struct.pack("<HH2sHI", 2, 1, b"OB", 0, 2) + b"\0\1",
                _ui(0x0002, self.sop_class_uid.encode()),
                _ui(0x0003, self.sop_instance_uid.encode()),
                _ui(0x0010, self.transfer_syntax_uid.encode()),
                _ui(0x0012, IMPLEMENTATION_UID),
                _short(0x0013, b"SH", IMPLEMENTATION_NAME, b" "),
            )
        )
        return b"\0" * 128 + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(elements)) + elements


def _ui(element: int, value: bytes) -> bytes:
    return _short(element, b"UI", value, b"\0")


def _short(element: int, vr: bytes, value: bytes, padding: bytes) -> bytes:
    value += padding * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def answer(status: int, comment: str = "") -> Dataset:
    """The status of a response, with a comment for the people at the sender."""
    response = Dataset()
    response.Status = status
    if comment:
        response.ErrorComment = comment[:COMMENT_LENGTH]
    return response


class Reception:
    """The objects of one association; `finish` records what became of them."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.counts = dict.fromkeys(Outcome, 0)
        self._room: Room | None = None
        self._drawer = Drawer(peer.site)
        self._bundle = Bundle(INSTANCES)
        self._opened = self._looked = 0.0
        self._upload: Upload | None = None
        self._files: list[UploadedFile] = []

    def store(self, command: Command, data: DataSet) -> Dataset:
        """Keep one object; the status says success only when its bytes and its row are on disk."""
        self._look_after_connection()
        try:
            receipt = self._receive(command, data)
        except (UserError, DatabaseError) as error:
            self._drawer.forget()
            self._looked = 0.0
            return _answer_of_error(error)
        self._note(receipt)
        return _answer_of(receipt)

    def _look_after_connection(self) -> None:
        """A connection that was lost is opened again; asking before each object costs a query each."""
        now = time.monotonic()
        if now - self._looked > BELIEVED_S:
            close_old_connections()
            self._looked = now

    def _receive(self, command: Command, data: DataSet) -> Receipt:
        """The rows are made while the bytes go to the disk; the commit waits for them."""
        try:
            arrived, settle = self._arrived(command, data)
            (receipt,) = receive(self.peer.site, [arrived], self._drawer_now(), settle)
        except OSError as error:
            if not is_full(error):
                raise
            (receipt,) = receive(self.peer.site, [NO_SPACE])
        return receipt

    def _drawer_now(self) -> Drawer:
        """Rows that were looked up are believed for a moment: then a study may have been deleted."""
        now = time.monotonic()
        if now - self._opened > BELIEVED_S:
            self._drawer.forget()
            self._opened = now
        return self._drawer

    def _arrived(self, command: Command, data: DataSet) -> tuple[Arrival | Refusal, Settle]:
        """What came, and how to wait until its bytes are durable."""
        room = self._room_now()
        if data.too_long:
            too_large = Refusal(TOO_LARGE, "The object is too large. Send it as single images.")
            return too_large, durable_already
        if data.no_room:
            return NO_SPACE, durable_already
        with spool(chain([command.file_head()], data.chunks())) as spooled:
            arrival = _as_announced(command, identify(spooled))
            if isinstance(arrival, Refusal):
                return arrival, durable_already
            if not room.has(arrival.size):
                return OVER_QUOTA, durable_already
            room.take(arrival.size)
            return arrival, self._on_its_way(spooled)

    def _on_its_way(self, spooled: Spooled) -> Settle:
        durable = self._bundle.add(spooled)
        self._bundle.flush()
        return durable.result

    def _room_now(self) -> Room:
        """The disk and the quota are looked at now and then: each look costs two queries."""
        if self._room is None or sum(self.counts.values()) % LOOK_AT_ROOM_EVERY == 0:
            self._room = room_at(self.peer.site)
        return self._room

    def _note(self, receipt: Receipt) -> None:
        self.counts[receipt.outcome] += 1
        self._files.append(
            UploadedFile(
                position=sum(self.counts.values()) - 1,
                outcome=receipt.outcome,
                code=receipt.code,
                sentence=receipt.sentence,
                instance_id=receipt.instance.pk if receipt.instance else None,
            )
        )
        if len(self._files) >= RECORD_EVERY:
            self.finish()

    @transaction.atomic
    def finish(self) -> None:
        """Write the outcomes so far to the record of uploads."""
        if not self._files:
            return
        if self._upload is None:
            self._upload = Upload(site=self.peer.site, peer=self.peer, road=Upload.Road.DIMSE)
        self._upload.stored = self.counts[Outcome.STORED]
        self._upload.duplicates = self.counts[Outcome.DUPLICATE]
        self._upload.refused = self.counts[Outcome.REFUSED] + self.counts[Outcome.QUARANTINED]
        self._upload.save()
        for file in self._files:
            file.upload = self._upload
        UploadedFile.objects.bulk_create(self._files)
        self._files = []


def _as_announced(command: Command, arrival: Arrival | Refusal) -> Arrival | Refusal:
    if isinstance(arrival, Refusal):
        return arrival
    header = arrival.header
    if (header.sop_class_uid, header.sop_instance_uid) == (command.sop_class_uid, command.sop_instance_uid):
        return arrival
    return Refusal(NOT_AS_ANNOUNCED, "The object is not the one that its request names. Send it again.")


def _answer_of_error(error: UserError | DatabaseError) -> Dataset:
    if isinstance(error, StorageFull):
        return answer(OUT_OF_RESOURCES, error.sentence)
    if isinstance(error, UserError):
        return answer(PROCESSING_FAILURE, error.sentence)
    logger.error("an object could not be filed: %s", type(error).__name__)
    return answer(PROCESSING_FAILURE, "The database does not answer. Send it again later.")


def _answer_of(receipt: Receipt) -> Dataset:
    if receipt.outcome in (Outcome.STORED, Outcome.DUPLICATE):
        return answer(SUCCESS)
    if receipt.outcome == Outcome.QUARANTINED:
        return answer(failure_reason(receipt), "Kept in quarantine: an administrator must decide.")
    status = DOES_NOT_MATCH if receipt.code == NOT_AS_ANNOUNCED else failure_reason(receipt)
    return answer(status, f"{receipt.code}: {receipt.sentence}")
