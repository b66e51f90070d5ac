"""`bin/manage import_dicom PATH...`: files, folders, zips and CDs with a DICOMDIR into the archive."""

from __future__ import annotations

import hashlib
import itertools
import json
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, close_old_connections

from accounts.models import Site
from scans.imports import GROUP, Tally, take_in
from scans.ingest.folders import Found, Unusable, files_in
from scans.management.progress import Progress
from scans.storage import StorageFull
from scans.watching import Memory, Mover, Watch

LOOK_EVERY_S = 1.0
LARGEST_GROUP_BYTES = 256 << 20
REST_S = 10.0
STOPPED = 2


class Command(BaseCommand):
    help = (
        "Store DICOM files, folders, zips (and zips in them) and media with a DICOMDIR. Exit 0: all of it is "
        "stored; 1: some files were refused or put aside; 2: it could not begin, or had to stop."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--site", help="code of the site; needed where there are several")
        parser.add_argument(
            "--watch", action="store_true", help="go on and take what is put into the folders"
        )
        parser.add_argument("--move-to", type=Path, metavar="DIR", help="put files that are done here")
        parser.add_argument("--state", type=Path, metavar="FILE", help="where --watch remembers what is done")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcome here")

    def handle(self, *args: Any, paths: list[Path], **options: Any) -> None:
        missing = [str(path) for path in paths if not path.exists()]
        if missing:
            raise CommandError(f"There is nothing at {', '.join(missing)}.", returncode=STOPPED)
        self.site, self.tally, self.stopped = _site(options["site"]), Tally(), threading.Event()
        mover = Mover(options["move_to"], paths) if options["move_to"] else None
        try:
            with _told_to_stop(self.stopped):
                if options["watch"]:
                    self._watch(paths, mover, options)
                else:
                    self._once(paths, mover)
        finally:
            self._report(options["json"], named=not options["watch"])
        if not options["watch"] and (self.stopped.is_set() or not self.tally.all_kept):
            raise SystemExit(STOPPED if self.stopped.is_set() else 1)

    def _once(self, paths: list[Path], mover: Mover | None) -> None:
        found = list(files_in(paths))
        size = sum(one.size for one in found if isinstance(one, Found))
        progress = Progress(sys.stderr, len(found), size)
        try:
            for group in _groups(found):
                if self.stopped.is_set():
                    return
                self._take(group, mover)
                progress.show(self.tally.files, self.tally.bytes)
        except StorageFull as full:
            raise CommandError(full.sentence, returncode=STOPPED) from full
        finally:
            progress.close()

    def _take(self, group: Sequence[Found | Unusable], mover: Mover | None) -> list[Found]:
        done = take_in(self.site, group, self.tally)
        if mover is not None:
            for one, kept in done:
                mover.move(one, kept)
        return [one for one, _ in done]

    def _watch(self, paths: list[Path], mover: Mover | None, options: dict[str, Any]) -> None:
        memory = Memory(options["state"] or _memory_of(paths, self.site))
        watch = Watch(paths, besides=options["move_to"])
        self.stdout.write("Watching. Files are taken when they have not changed for 2 s; Ctrl+C ends it.")
        self.stdout.flush()
        while not self.stopped.is_set():
            for group in _groups(watch.settled(memory.holds)):
                if self.stopped.is_set():
                    return
                memory.add(self._persist(group, mover))
                self.stdout.write(_sum(self.tally))
                self.stdout.flush()
            self.stopped.wait(LOOK_EVERY_S)

    def _persist(self, group: Sequence[Found | Unusable], mover: Mover | None) -> list[Found]:
        """Take a group, if need be again and again: a full disk or a database that is away are waited out."""
        while not self.stopped.is_set():
            try:
                return self._take(group, mover)
            except StorageFull as full:
                self.stderr.write(full.sentence)
            except (OperationalError, InterfaceError):
                self.stderr.write("The database cannot be reached. Trying again.")
                close_old_connections()
            self.stopped.wait(REST_S)
        return []

    def _report(self, file: Path | None, *, named: bool) -> None:
        """What became of it all; the paths of a watched folder stay out of what may be a log."""
        tally = self.tally
        self.stdout.write(_sum(tally))
        for code, count in tally.codes.most_common():
            self.stdout.write(f"  {count:,} x {code}: {tally.sentences[code]}")
            for path, _ in itertools.islice(((p, c) for p, c in tally.not_taken if c == code), 3 * named):
                self.stdout.write(f"      {path}")
        if file is not None:
            file.write_text(json.dumps({"site": self.site.code, **tally.to_json()}, indent=1))


@contextmanager
def _told_to_stop(stopped: threading.Event) -> Iterator[None]:
    """Ctrl+C and a supervisor's signal let the group under way end; it is acknowledged as a whole."""
    before = {
        number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sum(tally: Tally) -> str:
    count = tally.outcomes
    skipped = f", {count['skipped']:,} DICOMDIR skipped" if count["skipped"] else ""
    return (
        f"{time.strftime('%H:%M:%S')}  {count['stored']:,} stored, {count['duplicate']:,} already there, "
        f"{count['quarantined']:,} put aside, {count['refused']:,} refused{skipped}; "
        f"{len(tally.studies):,} studies"
    )


def _site(code: str | None) -> Site:
    sites = list(Site.objects.order_by("code"))
    found = [site for site in sites if site.code == code] if code else sites
    if len(found) == 1:
        return found[0]
    codes = ", ".join(site.code for site in sites)
    if not codes:
        raise CommandError("There is no site yet: make one with create_site.", returncode=STOPPED)
    problem = f"There is no site with the code {code}." if code else "There are several sites."
    raise CommandError(f"{problem} Name one with --site: {codes}.", returncode=STOPPED)


def _memory_of(paths: list[Path], site: Site) -> Path:
    told = "\0".join(sorted(str(path.absolute()) for path in paths)) + site.code
    return Path(settings.DATA) / "watched" / hashlib.sha256(told.encode()).hexdigest()[:16]


def _groups(found: Sequence[Found | Unusable]) -> Iterator[list[Found | Unusable]]:
    """At most a hundred files or 256 MB are acknowledged at a time; a larger file goes alone."""
    group: list[Found | Unusable] = []
    size = 0
    for one in found:
        more = one.size if isinstance(one, Found) else 0
        if group and (len(group) >= GROUP or size + more > LARGEST_GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(one)
        size += more
    if group:
        yield group
