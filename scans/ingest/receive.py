"""The one path into the house: every road (browser, STOW-RS, REST, command line) ends here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.files.storage import default_storage
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone
from psycopg2.errors import DeadlockDetected, DiskFull

from scans.dicom import sop_classes
from scans.dicom.sameness import same_pixels
from scans.ingest.arrivals import INSTANCES, Arrival, Refusal
from scans.ingest.filing import Conflict, Drawer
from scans.ingest.room import NO_SPACE
from scans.models import Instance, Quarantined, Series, Study, UploadedFile
from scans.storage import StorageFull, content_name

if TYPE_CHECKING:
    from accounts.models import Site

Outcome = UploadedFile.Outcome
TO_BE_DELETED = "TO_BE_DELETED"
UNDO_FIRST = "The study is marked for deletion. An administrator can undo it; then send again."
Note = Callable[[Sequence[Instance]], None]
Settle = Callable[[], object]
ATTEMPTS = 6


@dataclass(frozen=True)
class Receipt:
    """What became of one file."""

    outcome: UploadedFile.Outcome
    code: str = ""
    sentence: str = ""
    header: Arrival | None = None
    refusal: Refusal | None = None
    instance: Instance | None = None
    study: Study | None = None


def durable_already() -> None:
    """What `receive` waits for when the bytes were made durable before (`arrive`)."""


def receive(
    site: Site,
    arrivals: Sequence[Arrival | Refusal],
    drawer: Drawer | None = None,
    settle: Settle = durable_already,
) -> list[Receipt]:
    """File what has arrived, in one transaction; after it the whole batch may be acknowledged.

    `settle` returns when the bytes are durable: nothing is committed before, nor if it raises.
    The same bytes under the same UID are a duplicate; other bytes go to quarantine and overwrite nothing.
    A batch that collides with another one is filed again.
    A sender of small batches may bring the drawer of the last one, whose rows are not looked up again.
    """
    return _until_filed(drawer or Drawer(site), arrivals, _note_growth, settle)


def file_own(site: Site, arrivals: Sequence[Arrival | Refusal]) -> list[Receipt]:
    """File objects that the portal itself made of a study: its state stays as it is, signed ones included."""
    return _until_filed(Drawer(site), arrivals, _count)


def file_into(drawer: Drawer, arrival: Arrival) -> Instance:
    """File one object about which somebody has decided, within the caller's transaction.

    Raises
    ------
    Conflict : it still contradicts what is stored.
    """
    instance = instance_of(drawer.series_for(arrival.header), arrival)
    instance.save(force_insert=True)
    _note_growth([instance])
    return instance


def _until_filed(
    drawer: Drawer, arrivals: Sequence[Arrival | Refusal], note: Note, settle: Settle = durable_already
) -> list[Receipt]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                # A single object is nearly always new: the database says so when it is not.
                known = _known(drawer.site, arrivals) if len(arrivals) > 1 or attempt > 1 else {}
                receipts = _file_all(drawer, known, arrivals, note, settle)
                settle()
                return receipts
        except OSError:
            drawer.forget()
            raise
        except (IntegrityError, OperationalError) as error:
            drawer.forget()
            if isinstance(error.__cause__, DiskFull):
                raise StorageFull("storage_full", NO_SPACE.sentence) from error
            collided = isinstance(error, IntegrityError) or isinstance(error.__cause__, DeadlockDetected)
            if attempt == ATTEMPTS or not collided:
                raise
    raise AssertionError("unreachable")


def _file_all(
    drawer: Drawer,
    known: dict[str, Instance],
    arrivals: Sequence[Arrival | Refusal],
    note: Note,
    settle: Settle,
) -> list[Receipt]:
    receipts = [_file_one(drawer, known, arrival, settle) for arrival in arrivals]
    fresh = [r.instance for r in receipts if r.outcome == Outcome.STORED and r.instance is not None]
    Instance.objects.bulk_create(fresh)
    note(fresh)
    return receipts


def _known(site: Site, arrivals: Sequence[Arrival | Refusal]) -> dict[str, Instance]:
    uids = [a.header.sop_instance_uid for a in arrivals if isinstance(a, Arrival)]
    stored = Instance.objects.filter(site=site, sop_instance_uid__in=uids)
    if not stored.exists():  # most are new, and this question is much the cheaper one
        return {}
    whole = stored.select_related("series__study").defer("header")
    return {instance.sop_instance_uid: instance for instance in whole}


def _file_one(
    drawer: Drawer, known: dict[str, Instance], arrival: Arrival | Refusal, settle: Settle
) -> Receipt:
    if isinstance(arrival, Refusal):
        return Receipt(Outcome.REFUSED, arrival.code, arrival.sentence, refusal=arrival)
    uid = arrival.header.sop_instance_uid
    if uid in known:
        return _seen_before(drawer.site, known[uid], arrival, settle)
    try:
        series = drawer.series_for(arrival.header)
    except Conflict as conflict:
        known |= _known(drawer.site, [arrival])  # nobody has asked yet for a single object
        if uid in known:
            return _seen_before(drawer.site, known[uid], arrival, settle)
        return _quarantine(drawer.site, arrival, conflict.reason, conflict.study)
    if series.study.hidden_at is not None:
        return _to_be_deleted(series.study, arrival)
    known[uid] = instance_of(series, arrival)
    return Receipt(Outcome.STORED, header=arrival, instance=known[uid], study=series.study)


def _to_be_deleted(study: Study, arrival: Arrival) -> Receipt:
    return Receipt(Outcome.REFUSED, TO_BE_DELETED, UNDO_FIRST, header=arrival, study=study)


def _seen_before(site: Site, stored: Instance, arrival: Arrival, settle: Settle) -> Receipt:
    study = stored.series.study
    if study.hidden_at is not None:
        return _to_be_deleted(study, arrival)
    if stored.sha256 == arrival.sha256:
        return _duplicate(arrival, stored, "DUPLICATE", "This object is already stored.")
    settle()  # both files are read, and they may have come together
    if _same_pixels(stored.sha256, arrival.sha256):
        sentence = "The same pixels are already stored in another lossless encoding: not kept again."
        return _duplicate(arrival, stored, "SAME_PIXELS", sentence)
    return _quarantine(site, arrival, Quarantined.Reason.OTHER_BYTES, study)


def _duplicate(arrival: Arrival, stored: Instance, code: str, sentence: str) -> Receipt:
    study = stored.series.study
    return Receipt(Outcome.DUPLICATE, code, sentence, header=arrival, instance=stored, study=study)


def _same_pixels(*hashes: str) -> bool:
    old, new = (default_storage.open(content_name(INSTANCES, sha256), "rb") for sha256 in hashes)
    with old, new:
        return same_pixels(old, new)  # type: ignore[arg-type]


def _quarantine(site: Site, arrival: Arrival, reason: Quarantined.Reason, study: Study | None) -> Receipt:
    row, _ = Quarantined.objects.get_or_create(
        site=site,
        sop_instance_uid=arrival.header.sop_instance_uid,
        sha256=arrival.sha256,
        defaults={"size": arrival.size, "reason": reason, "study": study},
    )
    if row.decision:
        return _decided(row, arrival)
    sentence = f"Kept in quarantine: {reason.label}. An administrator must decide."
    return Receipt(Outcome.QUARANTINED, reason.upper(), sentence, header=arrival, study=study)


def _decided(row: Quarantined, arrival: Arrival) -> Receipt:
    """An object that an administrator has already judged comes again."""
    copies = Instance.objects.filter(site=row.site_id, sop_instance_uid=row.kept_as).select_related(
        "series__study"
    )
    copy = copies.first() if row.kept_as else None
    if copy is not None:
        return _duplicate(
            arrival, copy, "KEPT_APART", "This object is already stored, under a UID of its own."
        )
    sentence = f"An administrator has decided about this object: {row.get_decision_display()}."
    return Receipt(Outcome.REFUSED, "DECIDED", sentence, header=arrival)


def instance_of(series: Series, arrival: Arrival) -> Instance:
    """The row of an object, not saved yet."""
    header = arrival.header
    return Instance(
        site_id=series.site_id,
        series=series,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        sha256=arrival.sha256,
        size=arrival.size,
        instance_number=header.instance_number,
        position=header.position_along_normal,
        header=header.to_json(),
    )


def _note_growth(fresh: Sequence[Instance]) -> None:
    """CT images open a study again; anything else only prolongs the quiet time of one still arriving."""
    _count(fresh)
    with_ct = {i.series.study_id for i in fresh if sop_classes.is_ct(i.sop_class_uid)}
    others = {i.series.study_id for i in fresh} - with_ct
    now = timezone.now()
    Study.objects.filter(pk__in=sorted(with_ct)).update(
        last_instance_at=now, completed_at=None, status=Study.Status.RECEIVED, reason="", stage=""
    )
    if others:
        Study.objects.filter(pk__in=sorted(others), completed_at=None).update(last_instance_at=now)


def _count(fresh: Sequence[Instance]) -> None:
    """Series count their instances and bytes; in one order, against deadlocks."""
    per_series: dict[Series, list[int]] = {}
    for instance in fresh:
        per_series.setdefault(instance.series, []).append(instance.size)
    for series in sorted(per_series, key=lambda one: one.pk):
        sizes = per_series[series]
        Series.objects.filter(pk=series.pk).update(
            instance_count=F("instance_count") + len(sizes), size_bytes=F("size_bytes") + sum(sizes)
        )
