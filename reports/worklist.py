"""The worklist: which studies, in which order, page by page at a constant cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from accounts.models import Person
from core.querysets import STAFF_ROLES
from inference.models import Job
from inference.waiting import Queue
from reports import presentation
from scans.models import Study
from scans.querysets import StudyQuerySet

PAGE = 50
COUNTS_FOR_S = 10
METER = 64

Status, Review = Study.Status, Study.Review
RUNNING = (Status.RECEIVED, Status.WAITING, Status.READING)


@dataclass(frozen=True)
class Tab:
    key: str
    label: str
    condition: Q
    by_suspicion: bool
    empty: str


TABS: Mapping[str, Tab] = {
    tab.key: tab
    for tab in (
        Tab("unread", "Unread", Q(review=Review.UNREAD), True, "Nothing is waiting to be read."),
        Tab("draft", "In progress", Q(review=Review.DRAFT), True, "Nobody has begun a report."),
        Tab("running", "Running", Q(status__in=RUNNING), False, "The machine has nothing to do."),
        Tab("not_read", "Not read", Q(status=Status.NOT_READ), False, "No study was refused."),
        Tab("failed", "Failed", Q(status=Status.FAILED), False, "No reading has failed."),
        Tab("final", "Signed", Q(review=Review.FINAL), False, "No report has been signed yet."),
        Tab("all", "All", Q(), False, "No study matches."),
    )
}


@dataclass(frozen=True)
class Filters:
    """What the query string asks for; only values that were checked by the form get here."""

    tab: str = "unread"
    site: UUID | None = None
    status: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the worklist, ready to be shown; `meter` is a bar's length of 64, None for no bar."""

    study: Study
    href: str
    waiting: str
    meter: float | None
    sign: presentation.Sign
    chip: presentation.Chip
    line: str
    more: str
    is_open: bool


@dataclass(frozen=True)
class Page:
    studies: list[Study]
    previous: str
    next: str


def studies_for(person: Person, filters: Filters) -> StudyQuerySet:
    """Studies that the filters ask for, in no order yet."""
    found = Study.objects.visible_to(person).filter(site__in=person.sites_as(*STAFF_ROLES))
    found = found.filter(TABS[filters.tab].condition, deidentified=False)
    if filters.site is not None:
        found = found.filter(site=filters.site)
    if filters.status:
        found = found.filter(status=filters.status)
    if filters.since is not None:
        found = found.filter(started_at__gte=filters.since)
    if filters.until is not None:
        found = found.filter(started_at__lt=filters.until)
    return found.matching(filters.text) if filters.text else found


def page_of(studies: StudyQuerySet, tab: Tab, after: str = "", before: str = "") -> Page:
    """One page behind or before a cursor; no row is counted or skipped to get there.

    Raises
    ------
    ValueError : a cursor that nobody has given out.
    """
    keys = ("priority", "id") if tab.by_suspicion else ("id",)
    ordered = studies.select_related("patient", "site", "read_series")
    if before:
        found = list(_beyond(ordered, keys, before, upwards=True).order_by(*keys)[: PAGE + 1])
        more, found = len(found) > PAGE, found[:PAGE][::-1]
        return Page(
            found,
            _cursor(found[0], keys) if more and found else "",
            _cursor(found[-1], keys) if found else "",
        )
    query = _beyond(ordered, keys, after, upwards=False) if after else ordered
    found = list(query.order_by(*(f"-{key}" for key in keys))[: PAGE + 1])
    more, found = len(found) > PAGE, found[:PAGE]
    return Page(
        found, _cursor(found[0], keys) if after and found else "", _cursor(found[-1], keys) if more else ""
    )


def _beyond(studies: StudyQuerySet, keys: tuple[str, ...], cursor: str, *, upwards: bool) -> StudyQuerySet:
    """Rows on one side of a cursor, as a condition that an index on the keys serves."""
    side = "gt" if upwards else "lt"
    if len(keys) == 1:
        return studies.filter(**{f"id__{side}": UUID(cursor)})
    number, _, key = cursor.partition("_")
    priority = float(number)
    tie = Q(priority=priority, **{f"id__{side}": UUID(key)})
    return studies.filter(Q(**{f"priority__{side}e": priority}), Q(**{f"priority__{side}": priority}) | tie)


def _cursor(study: Study, keys: tuple[str, ...]) -> str:
    return f"{study.priority!r}_{study.pk}" if len(keys) > 1 else str(study.pk)


def counts_for(person: Person, *, fresh: bool = False) -> dict[str, int]:
    """How many studies each tab holds: one query, kept for a few seconds per set of sites."""
    sites = sorted(str(site) for site in person.sites_as(*STAFF_ROLES))
    key = f"worklist-counts:{'.'.join(sites)}"
    found: dict[str, int] | None = None if fresh else cache.get(key)
    if found is None:
        found = _count(person)
        cache.set(key, found, COUNTS_FOR_S)
    return found


def _count(person: Person) -> dict[str, int]:
    groups = (
        Study.objects.filter(site__in=person.sites_as(*STAFF_ROLES), hidden_at__isnull=True)
        .order_by()
        .values_list("review", "status")
        .annotate(n=Count("*"))
    )
    counts = dict.fromkeys(TABS, 0)
    for review, status, n in groups:
        for key in _tabs_of(review, status):
            counts[key] += n
    return counts


def _tabs_of(review: str, status: str) -> Iterable[str]:
    yield "all"
    yield str(review)
    if status in RUNNING:
        yield "running"
    elif status in (Status.NOT_READ, Status.FAILED):
        yield str(status)


def rows_of(studies: Iterable[Study]) -> list[Row]:
    """Lines of these studies, with places in the queue for those that are not settled."""
    listed = list(studies)
    running = [study.pk for study in listed if presentation.is_open(study.status)]
    jobs = {job.study_id: job for job in Job.objects.open().filter(study__in=running)} if running else {}
    queue = Queue()
    return [row_of(study, jobs.get(study.pk), queue) for study in listed]


def row_of(study: Study, job: Job | None, queue: Queue) -> Row:
    return Row(
        study=study,
        href=reverse("study", args=[study.pk]),
        waiting="–"
        if study.review == Review.FINAL
        else presentation.waiting(study.created_at, timezone.now()),
        meter=_meter(study),
        sign=presentation.suspicion(study.scan_probability),
        chip=presentation.status_chip(study.status, study.review),
        line=_line(study, job, queue),
        more=presentation.more_findings(study.finding_count),
        is_open=presentation.is_open(study.status),
    )


def _waiting(study: Study) -> str:
    if study.review == Review.FINAL:
        return "–"
    return presentation.waiting(study.created_at, timezone.now())


def _meter(study: Study) -> float | None:
    """A bar of the progress while a study is read, of the suspicion once it has been."""
    shares = {Status.READING: study.progress, Status.READY: study.scan_probability}
    share = shares.get(Status(study.status))
    return None if share is None else round(METER * share, 1)


def _line(study: Study, job: Job | None, queue: Queue) -> str:
    if presentation.is_open(study.status):
        ahead, seconds = (queue.position(job), queue.seconds(job)) if job else (None, None)
        return presentation.progress_line(study.status, study.stage, study.progress, ahead, seconds)
    if study.status in (Status.FAILED, Status.NOT_READ):
        return study.reason
    return study.lead_finding or "no finding"


def context_of(person: Person, filters: Filters, page: Page) -> dict[str, Any]:
    """What the template of the worklist needs."""
    counts = counts_for(person)
    rows = rows_of(page.studies)
    return {
        "tabs": [(tab, counts[key]) for key, tab in TABS.items()],
        "tab": TABS[filters.tab],
        "rows": rows,
        "open_ids": open_ids(rows),
        "page": page,
        "several_sites": works_at_several(person),
    }


def open_ids(rows: Iterable[Row]) -> str:
    """Keys of the rows that a page should ask about again."""
    return ",".join(str(row.study.pk) for row in rows if row.is_open)


def works_at_several(person: Person) -> bool:
    return len(person.sites_as(*STAFF_ROLES)) > 1
