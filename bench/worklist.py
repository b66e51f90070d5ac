"""Worklist with 100,000 studies: server time of a page, and its number of queries.

    .venv/bin/python -m bench.worklist [--studies 100000] [--json FILE]

Rows are made by COPY in a database of its own. Peer: the same page as most lists are built, OFFSET and
count(*) over everything, in the same run.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

REPEATS = 25
BAR_MS = 60.0
STATES = ["ready"] * 90 + ["not_read"] * 5 + ["waiting", "reading", "received", "failed", "ready"]
REVIEWS = ["final"] * 85 + ["unread"] * 12 + ["draft"] * 3
FAMILIES = ["DOE", "ROE", "MAY", "LIND", "OKAFOR", "NAKAMURA", "SILVA", "KOWALSKI", "MEYER", "ROSSI"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lungportal-bench-") as folder:
        figures = run(Path(folder), options.studies)
    for name, value in figures.items():
        print(f"{name:<28} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def run(folder: Path, studies: int) -> dict[str, Any]:
    folder.chmod(0o755)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lungportal.settings.test")
    os.environ["LUNGPORTAL_TEST_FOLDER"] = str(folder / "data")
    from lungportal.runtime.services import embedded_services

    with embedded_services(folder / "data"):
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        client = fill(studies)
        return measure(client, studies)


def fill(studies: int) -> Any:
    """Sites, people, patients and studies; returns the browser of a radiologist."""
    from django.db import connection
    from django.test import Client

    from tests.factories import PersonFactory, SiteFactory

    site = SiteFactory(code="north")
    reader = PersonFactory(email="reader@bench.example", role="radiologist", site=site)
    rng = random.Random(1)
    patients, rows = tables(rng, str(site.pk), studies)
    with connection.cursor() as cursor:
        copy(cursor, "patients_patient", patients)
        copy(cursor, "scans_study", rows)
        cursor.execute("vacuum analyze patients_patient")
        cursor.execute("vacuum analyze scans_study")
    client = Client()
    client.force_login(reader)
    return client


def tables(rng: random.Random, site: str, studies: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from core.identifiers import uuid7

    now, patients, rows = datetime.now(UTC), [], []
    for n in range(studies):
        patient = str(uuid7())
        family, given = rng.choice(FAMILIES), f"Given{n % 997}"
        made = now - timedelta(minutes=studies - n)
        patients.append(
            {
                "id": patient, "created_at": made, "site_id": site, "issuer": "BENCH", "sex": "F",
                "medical_record_number": f"B-{n:07d}", "name": f"{family}^{given}",
                "birth_date": "1958-04-02",
            }
        )  # fmt: skip
        rows.append(study(rng, site, patient, n, made))
    return patients, rows


def study(rng: random.Random, site: str, patient: str, n: int, made: datetime) -> dict[str, Any]:
    from core.identifiers import uuid7

    status, suspicion = rng.choice(STATES), rng.random() ** 3
    return {
        "id": str(uuid7()), "created_at": made, "site_id": site, "patient_id": patient,
        "study_instance_uid": f"2.25.{n}",
        "accession_number": f"A{n:07d}", "study_id": "", "description": "CT chest",
        "referring_physician_name": "", "institution_name": "", "started_at": made,
        "patient_age": 67, "last_instance_at": made,
        "completed_at": made, "status": status, "reason": "", "stage": "", "progress": 1, "series_choice": "",
        "scan_probability": suspicion, "priority": suspicion, "finding_count": 2,
        "lead_finding": "Right lung, 11.2 mm solid", "warning_count": 0, "review": rng.choice(REVIEWS),
        "deidentified": False,
    }  # fmt: skip


def copy(cursor: Any, table: str, rows: list[dict[str, Any]]) -> None:
    lines = "\n".join("\t".join(str(value) for value in row.values()) for row in rows)
    cursor.copy_expert(f"copy {table} ({', '.join(rows[0])}) from stdin", io.StringIO(lines))


def measure(client: Any, studies: int) -> dict[str, Any]:
    pages = {
        "first_page": "/",
        "search_name": "/?q=okafor",
        "search_number": f"/?q=B-{studies // 2:07d}",
        "signed": "/?tab=signed",
    }
    figures: dict[str, Any] = {"studies": studies}
    for name, path in pages.items():
        figures[f"{name}_p50_ms"], figures[f"{name}_queries"] = timed(client, path)
    figures["deep_page_p50_ms"], figures["deep_page_queries"] = timed(client, deep(client))
    figures["peer_offset_and_count_ms"] = peer(studies)
    figures["ratio_peer_to_first_page"] = round(
        figures["peer_offset_and_count_ms"] / figures["first_page_p50_ms"], 2
    )
    figures["holds"] = all(figures[key] < BAR_MS for key in figures if key.endswith("_p50_ms"))
    return figures


def deep(client: Any) -> str:
    """The address of the twentieth page, as a reader reaches it."""
    import re

    path = "/?tab=all"
    for _ in range(20):
        text = client.get(path).content.decode()
        found = re.search(r'href="([^"]*)"[^>]*rel="next"|rel="next"[^>]*href="([^"]*)"', text)
        assert found, f"{path} has no next page"
        path = "/" + (found[1] or found[2]).replace("&amp;", "&").lstrip("/")
    return path


def timed(client: Any, path: str) -> tuple[float, int]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    count = len(queries)
    return median_ms(lambda: client.get(path)), count


def peer(studies: int) -> float:
    """The queries of an OFFSET list with a total, without rendering anything."""
    from scans.models import Study

    def page() -> None:
        every = Study.objects.select_related("patient").order_by("-priority", "-id")
        every.count()
        list(every[studies // 2 : studies // 2 + 50])

    return median_ms(page)


def median_ms(act: Callable[[], Any]) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        act()
        times.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(times), 1)


if __name__ == "__main__":
    main()
