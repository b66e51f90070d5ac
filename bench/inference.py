"""A whole CT from its stored volume to findings in the database, as a worker reads it.

    .venv/bin/python -m bench.inference [--json FILE] [--repeat N] [--no-monai]

A chest of 300 slices of 1 mm, 512 x 512 pixels of 0.7 mm, is made once and kept (.training/bench). It is read
in a fresh process with a database of its own: once cold, then `repeat` times; the quickest of these is told.
`first_candidates_s` is when the study's row tells how many candidates there are. Then MONAI's detector runs
over the same voxels (bench/peers; installed once, 5 GB; minutes on two cores); where it cannot be installed,
`monai_seconds` and `monai_ratio` are null. FILE is written before it, and again after it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bench.peers import run_monai

if TYPE_CHECKING:
    from inference.models import Job
    from scans.dicom.volume import BuiltVolume

KEPT = Path(".training/bench")
BAR_S, BAR_MB, BAR_WARMUP_S = 12.0, 3000, 10.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--no-monai", action="store_true", help="leave out the comparison")
    options = parser.parse_args()
    if options.child:
        options.child.write_text(json.dumps(child(options.repeat)))
        return
    figures = {**about(), **in_child(options.repeat), "monai_seconds": None, "monai_ratio": None}
    tell(figures, options.json)
    if not options.no_monai:
        beside = beside_monai(figures["seconds"])
        tell(beside, None)
        tell(figures | beside, options.json, aloud=False)


def tell(figures: dict[str, Any], file: Path | None, *, aloud: bool = True) -> None:
    for name, value in figures.items() if aloud else ():
        print(f"{name:<24} {value}", flush=True)
    if file:
        file.write_text(json.dumps(figures, indent=1))


def beside_monai(seconds: float) -> dict[str, Any]:
    theirs = run_monai.run(KEPT / "monai", volume_file())
    if theirs is None:
        return {"monai_seconds": None, "monai_ratio": None}
    ratio = round(theirs["seconds"] / seconds, 1)
    return {"monai_seconds": theirs["seconds"], "monai_ratio": ratio, "monai_shape": theirs["shape"]}


def about() -> dict[str, Any]:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
    }


def in_child(repeat: int) -> dict[str, Any]:
    volume_file()
    with tempfile.TemporaryDirectory(prefix="lungportal-bench-") as folder:
        told = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "bench.inference", "--child", str(told), "--repeat", str(repeat)]
        subprocess.run(command, check=True)
        return dict(json.loads(told.read_text()))


def volume_file() -> Path:
    """The chest as a file of voxels; made at the first use (about a minute)."""
    path = KEPT / "chest-300.npy"
    if not path.is_file():
        import numpy as np

        KEPT.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, phantom().hu)
        partial.rename(path)
    return path


def phantom() -> Any:
    from scans.dicom.phantom import NoduleSpec, PhantomSpec, make_phantom

    nodules = (
        NoduleSpec(14.0, "solid", "RUL", "spiculated"),
        NoduleSpec(8.0, "solid", "LLL"),
        NoduleSpec(6.0, "solid", "RLL"),
        NoduleSpec(11.0, "part_solid", "LUL"),
    )
    spec = PhantomSpec(7, scan=1, nodules=nodules, slices=300, size=512, pixel_mm=0.7, increment_mm=1.0)
    return make_phantom(spec)


def built() -> BuiltVolume:
    import numpy as np

    from scans.dicom.geometry import Geometry
    from scans.dicom.volume import BuiltVolume, volume_digest

    hu = np.load(volume_file())
    geometry = Geometry(hu.shape, (1.0, 0.7, 0.7), (-179.0, -179.0, -375.0))
    names = tuple(f"2.25.{n + 1}" for n in range(len(hu)))
    numbers, places = tuple(range(1, len(hu) + 1)), tuple(float(n) for n in range(len(hu)))
    return BuiltVolume(hu, geometry, volume_digest(hu, geometry), names, numbers, places)


def child(repeat: int) -> dict[str, Any]:
    """All that a worker's process does, in this one."""
    with tempfile.TemporaryDirectory(prefix="lungportal-bench-") as folder:
        Path(folder).chmod(0o755)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lungportal.settings.test")
        os.environ["LUNGPORTAL_TEST_FOLDER"] = str(Path(folder) / "data")
        from lungportal.runtime.services import embedded_services

        with embedded_services(Path(folder) / "data"):
            import django

            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
            return measure(repeat)


def measure(repeat: int) -> dict[str, Any]:
    from inference import registry

    began = time.perf_counter()
    loaded = registry.load_in_force()
    warmup = time.perf_counter() - began
    first, *others = [read_once(job()) for _ in range(repeat + 1)]
    best = min(others, key=lambda figures: figures["seconds"])
    peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {
        **best,
        "first_reading_s": first["seconds"],
        "warmup_s": round(warmup, 2),
        "scans_per_hour": round(3600 / best["seconds"]),
        "peak_mb": peak_mb,
        "precision": loaded["candidates"].precision,
        "holds": best["seconds"] <= BAR_S
        and best["first_candidates_s"] <= BAR_S / 2
        and warmup < BAR_WARMUP_S
        and peak_mb < BAR_MB,
    }


def job() -> Job:
    """A waiting job for the stored chest, of a new patient each time."""
    from scans.volumes import keep
    from tests.factories import JobFactory, SeriesFactory

    series: Any = SeriesFactory.create()
    waiting: Any = JobFactory.create(volume=keep(series, built()))
    return cast("Job", waiting)


def read_once(waiting: Job) -> dict[str, Any]:
    """Seconds from the worker's claim to the written result, and to candidates in the study's row."""
    from inference.models import Finding, Reading
    from inference.work import read_next

    seen: dict[str, float] = {}
    stopped = threading.Event()
    began = time.perf_counter()
    watcher = threading.Thread(target=watch, args=(waiting, seen, began, stopped.is_set))
    watcher.start()
    try:
        read_next()
        seconds = time.perf_counter() - began
    finally:
        stopped.set()
        watcher.join()
    reading = Reading.objects.get(job=waiting)
    return {
        "seconds": round(seconds, 2),
        "first_candidates_s": round(seen.get("candidates", seconds), 2),
        "findings": Finding.objects.filter(reading=reading).count(),
        "stages_s": reading.timings_s,
    }


def watch(waiting: Job, seen: dict[str, float], began: float, stopped: Callable[[], bool]) -> None:
    """Look at the study as its page does, until it tells how many candidates there are."""
    from django.db import connection

    from scans.models import Study

    while not stopped() and "candidates" not in seen:
        stage = Study.objects.values_list("stage", flat=True).get(pk=waiting.study_id)
        if "of " in stage:
            seen["candidates"] = time.perf_counter() - began
        time.sleep(0.1)
    connection.close()


if __name__ == "__main__":
    main()
