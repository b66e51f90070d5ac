"""`lungportal-send FOLDER... --url URL`: sends, resumes, and waits for what is found."""

from __future__ import annotations

import json
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lungportal_send.files import Local, files_in
from lungportal_send.portal import Away, Portal, Stop
from lungportal_send.progress import Progress
from lungportal_send.sending import Answers, Sender
from lungportal_send.state import FAILED, STORED, Outcome, State, usual_place
from lungportal_send.waiting import findings_of

ALL_STORED, SOME_NOT, COULD_NOT = 0, 1, 2
MOST_LISTED = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all is stored, 1 some files are not, 2 it could not begin or had to stop."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except (Stop, Away) as stop:
        print(f"lungportal-send: {stop}", file=sys.stderr)
        return COULD_NOT


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="lungportal-send", description="Send DICOM files to a lungportal.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="FOLDER", help="folders, files or zips")
    parser.add_argument("--url", default=os.environ.get("LUNGPORTAL_URL"), help="or LUNGPORTAL_URL")
    parser.add_argument("--token", help="better: LUNGPORTAL_TOKEN, or --token-file")
    parser.add_argument("--token-file", type=Path, help="a file that holds the token alone")
    parser.add_argument("--site", default="", help="code of the site, where the token opens several")
    parser.add_argument("--parallel", type=int, default=4, choices=range(1, 17), metavar="N")
    parser.add_argument("--state", type=Path, metavar="FILE", help="where confirmed files are remembered")
    parser.add_argument("--again", action="store_true", help="send also what was confirmed before")
    parser.add_argument("--patience", type=float, default=600, metavar="S", help="how long to try again")
    parser.add_argument("--wait", action="store_true", help="wait for the findings, print them as JSON")
    parser.add_argument("--wait-at-most", type=float, default=3600, metavar="S")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write outcomes and findings here")
    parser.add_argument("--ca-file", help="certificates to trust, where the portal has one of its own")
    parser.add_argument("--verbose", action="store_true", help="say the outcome of each file")
    return parser


def _run(options: Namespace) -> int:
    missing = [str(path) for path in options.paths if not path.exists()]
    if missing:
        raise Stop(f"There is nothing at {', '.join(missing)}.")
    if not options.url:
        raise Stop("Say where the portal is: --url https://portal.example.")
    portal = Portal(options.url, _token(options), patience_s=options.patience, ca_file=options.ca_file)
    with _heeding_signals(portal):
        return _through(portal, options)


def _through(portal: Portal, options: Namespace) -> int:
    portal.get("/api/v1/studies/?page_size=1")  # a wrong token or address is said before anything is sent
    files = list(files_in(options.paths))
    state = State(options.state or usual_place(options.paths, options.url, options.site))
    outcomes, stop = _send(portal, files, state, options)
    report = _report(files, outcomes)
    if stop is None and options.wait:
        report["studies"] = findings_of(portal, _studies(outcomes), options.wait_at_most)
        print(json.dumps(report["studies"], indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    _sum(report)
    if stop is not None:
        raise stop
    if portal.stopped.is_set():
        raise Stop("Stopped. The same command goes on where it ended.")
    read = all(study["status"] != "failed" for study in report.get("studies", []))
    return ALL_STORED if report["stored"] == len(files) and read else SOME_NOT


def _token(options: Namespace) -> str:
    file = options.token_file or os.environ.get("LUNGPORTAL_TOKEN_FILE")
    try:
        token = options.token or (Path(file).read_text() if file else os.environ.get("LUNGPORTAL_TOKEN", ""))
    except OSError as error:
        raise Stop(f"The token file {file} cannot be read.") from error
    if not token.strip():
        raise Stop("There is no token: set LUNGPORTAL_TOKEN, or give --token-file.")
    return str(token).strip()


@contextmanager
def _heeding_signals(portal: Portal) -> Iterator[None]:
    """The first Ctrl+C lets the requests under way end; the second ends the program."""

    def stop(number: int, frame: Any) -> None:
        portal.stopped.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _send(
    portal: Portal, files: list[Local], state: State, options: Namespace
) -> tuple[dict[Local, Outcome], Stop | None]:
    known = {} if options.again else {one: found for one in files if (found := state.of(one))}
    fresh = [one for one in files if one not in known]
    if known:
        print(f"{len(known):,} files were confirmed before and are not sent again.", file=sys.stderr)
    outcomes = dict(known)
    progress = Progress(sys.stderr, len(fresh), sum(one.size for one in fresh))
    portal.say = progress.say

    def answered(answers: Answers) -> None:
        state.add(answers)
        outcomes.update(answers)
        progress.add(len(answers), sum(one.size for one, _ in answers))
        if options.verbose:
            for one, outcome in answers:
                progress.say(f"{outcome.outcome:8} {one.name} {outcome.sentence}")

    try:
        Sender(portal, options.site, answered).send(fresh, options.parallel)
    except Stop as stop:
        return outcomes, stop
    finally:
        progress.close()
    return outcomes, None


def _studies(outcomes: dict[Local, Outcome]) -> list[str]:
    return sorted({uid for outcome in outcomes.values() for uid in outcome.studies})


def _report(files: list[Local], outcomes: dict[Local, Outcome]) -> dict[str, Any]:
    nothing = Outcome(FAILED, "NOT_SENT", "It was not sent.")
    rows = [(one, outcomes.get(one, nothing)) for one in files]
    counts = Counter(outcome.outcome for _, outcome in rows)
    return {
        "stored": counts[STORED],
        "refused": counts["refused"],
        "failed": counts[FAILED],
        "study_instance_uids": _studies(outcomes),
        "files": [
            {"path": one.name, "outcome": o.outcome, "code": o.code, "sentence": o.sentence}
            for one, o in rows
        ],
    }


def _sum(report: dict[str, Any]) -> None:
    studies = len(report["study_instance_uids"])
    head = f"{report['stored']:,} stored, {report['refused']:,} refused, {report['failed']:,} not sent"
    print(f"{head}; {studies:,} {'study' if studies == 1 else 'studies'}", file=sys.stderr)
    bad = [row for row in report["files"] if row["outcome"] != STORED]
    for row in bad[:MOST_LISTED]:
        print(f"  {row['outcome']:8} {row['path']}  {row['code']}: {row['sentence']}", file=sys.stderr)
    if len(bad) > MOST_LISTED:
        print(f"  and {len(bad) - MOST_LISTED:,} more; --json FILE lists them all", file=sys.stderr)
