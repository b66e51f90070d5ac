"""How fast the archive takes instances in, beside Orthanc in the same run.

    .venv/bin/python -m bench.ingest [--json FILE] [--only stow,cstore,parallel,growth,memory,dicomweb]

300 CT instances of 525 kB on loopback, durable on both sides (Orthanc: SyncStorageArea). Each rate is the
best of three rounds with fresh UIDs. Orthanc's STOW is its DICOMweb plugin, its REST is POST /instances.
Orthanc does not read what it stores; here studies stay open, so that ours are not read meanwhile either.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from bench.archive.crowd import crowd
from bench.archive.cstore import CALLER, STORESCU, cstore_rate
from bench.archive.instances import series
from bench.archive.memory import peak_of
from bench.archive.orthanc import Orthanc, orthanc
from bench.archive.roads import Target, parallel_rate, rate
from tests.live import Portal, portal

INSTANCES = 300
ROUNDS = 3
MANY = 100_000
OPEN_S = "3600"
CALM_S, BUSY_S = 60.0, 0.2
FLOOD_BYTES = 2_000_000_000
Figures = Iterator[tuple[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default=",".join(MEASURES), help="names of measures, with commas between")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with portal(LUNGPORTAL_QUIET_SECONDS=OPEN_S) as ours, orthanc() as theirs:
        calm(ours)
        token = ours.token("technician")
        for name in options.only.split(","):
            for key, value in MEASURES[name](ours, token, theirs):
                figures[key] = round(value, 3)
                print(f"{key:<24} {figures[key]}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def calm(ours: Portal) -> None:
    """Wait until the workers have warmed up their networks."""
    until = time.monotonic() + CALM_S
    while time.monotonic() < until and _busy(ours):
        pass


def _busy(ours: Portal) -> bool:
    before = _cpu_s(ours)
    time.sleep(1)
    return _cpu_s(ours) - before > BUSY_S


def _cpu_s(ours: Portal) -> float:
    """Processor time of all processes so far."""
    total = 0.0
    for pid in ours.processes().values():
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for one in (root, *root.children(recursive=True)):
                total += sum(one.cpu_times()[:2])
    return total


def our_stow(ours: Portal, token: str) -> Target:
    port = int(ours.base_url.rsplit(":", 1)[1])
    return Target(port, "/dicomweb/studies", headers={"Authorization": f"Token {token}"})


def best(measure: Callable[[list[bytes]], float], count: int = INSTANCES) -> float:
    """The best of some rounds, each with instances that are new."""
    return max(measure(list(series(count))) for _ in range(ROUNDS))


def stow(ours: Portal, token: str, theirs: Orthanc | None) -> Figures:
    target = our_stow(ours, token)
    mine = best(lambda files: rate(target, files))
    yield "stow_per_s", mine
    if theirs and theirs.has_stow:
        peer = best(lambda files: rate(Target(theirs.http_port, "/dicom-web/studies"), files))
        yield "orthanc_stow_per_s", peer
        yield "stow_ratio", mine / peer


def parallel(ours: Portal, token: str, theirs: Orthanc | None) -> Figures:
    target = our_stow(ours, token)
    mine = best(lambda files: parallel_rate(target, files))
    yield "parallel_per_s", mine
    if theirs:
        one_by_one = Target(theirs.http_port, "/instances", per_request=1)
        peer = best(lambda files: parallel_rate(one_by_one, files))
        yield "orthanc_parallel_per_s", peer
        yield "parallel_ratio", mine / peer


def cstore(ours: Portal, token: str, theirs: Orthanc | None) -> Figures:
    """One association; nothing is printed where dcmtk is not installed."""
    if not STORESCU:
        return
    ours.manage("register_peer", CALLER, "--site", "north")
    mine = best(lambda files: cstore_rate(ours.dicom_port, "LUNGPORTAL", files))
    yield "cstore_per_s", mine
    if theirs:
        peer = best(lambda files: cstore_rate(theirs.dicom_port, "ORTHANC", files))
        yield "orthanc_cstore_per_s", peer
        yield "cstore_ratio", mine / peer


def growth(ours: Portal, token: str, theirs: Orthanc | None) -> Figures:
    """Seconds an instance among 100,000, as a multiple of the same among the first thousand."""
    target = our_stow(ours, token)
    before = best(lambda files: rate(target, files))
    crowd(ours, MANY)
    time.sleep(5)  # the database writes out what was just made
    yield "growth_100k", before / best(lambda files: rate(target, files))


def memory(ours: Portal, token: str, theirs: Orthanc | None) -> Figures:
    """The largest web process while 2 GB come in from five senders."""
    target = our_stow(ours, token)
    with peak_of(ours.processes()["web"]) as peak:
        sent = 0
        while sent < FLOOD_BYTES:
            files = list(series(INSTANCES))
            parallel_rate(target, files)
            sent += sum(map(len, files))
    yield "web_peak_mb", peak.mb


def answers(ours: Portal, token: str, theirs: Orthanc | None) -> Figures:
    """Queries, metadata and frames among 100,000 studies, by `bench.dicomweb` on a database of its own."""
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        report = Path(folder) / "dicomweb.json"
        command = [sys.executable, "-m", "bench.dicomweb", "--studies", str(MANY), "--json", str(report)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        figures = json.loads(report.read_text())
    yield from ((name, figures[name]) for name in ("qido_ms", "metadata_ms", "frame_ms"))


MEASURES = {
    "stow": stow,
    "cstore": cstore,
    "parallel": parallel,
    "growth": growth,
    "memory": memory,
    "dicomweb": answers,
}

if __name__ == "__main__":
    main()
