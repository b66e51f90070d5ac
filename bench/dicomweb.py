"""QIDO and WADO among 100,000 studies: server time of a search, of metadata and of a rendered frame.

    .venv/bin/python -m bench.dicomweb [--studies 100000] [--json FILE]

Rows are made by COPY in a database of its own; each study has one series of one instance, and one study has
the series that is read: 300 slices of 512 x 512 (525 kB), taken in as STOW-RS does.

qido_ms            GET /dicomweb/studies?StudyInstanceUID=... (median of 25)
qido_growth        the same, divided by its time among the first thousand studies
metadata_ms        GET .../series/.../metadata of 300 slices, compressed
frame_ms           GET .../frames/1/rendered as JPEG, each time another slice and window
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
from functools import cache
from pathlib import Path
from typing import Any

from bench.worklist import FAMILIES, copy
from bench.worklist import study as study_row

SLICES = 300
REPEATS = 25
FIRST = 1000
BARS = {"qido_ms": 20.0, "metadata_ms": 30.0, "frame_ms": 50.0}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = run(options.studies)
    for name, value in figures.items():
        print(f"{name:<28} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def run(studies: int = 100_000) -> dict[str, Any]:
    """All figures, on a database and a storage that are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="lungportal-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lungportal.settings.test")
        os.environ["LUNGPORTAL_TEST_FOLDER"] = str(folder / "data")
        from lungportal.runtime.services import embedded_services

        with embedded_services(folder / "data"):
            import django

            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
            return measure(studies)


def measure(studies: int) -> dict[str, Any]:
    """Fill the database that is set up and time the requests."""
    client, site = reader()
    fill(site, 0, FIRST)
    series = take_in(site, SLICES)
    few = {name: median_ms(client, paths) for name, paths in searches(FIRST).items()}
    fill(site, FIRST, studies)
    figures: dict[str, Any] = {"studies": studies, "slices": SLICES}
    many = {name: median_ms(client, paths) for name, paths in searches(studies).items()}
    for name, value in many.items():
        figures[name] = value
        figures[f"{name}_among_{FIRST}"] = few[name]
    figures["qido_growth"] = round(many["qido_ms"] / few["qido_ms"], 2)
    figures["metadata_ms"] = median_ms(client, [f"{series}/metadata"] * REPEATS, gzip=True)
    figures["frame_ms"] = median_ms(client, frames(series))
    figures["frames_raw_ms"] = median_ms(
        client, [f"{series}/instances/2.25.9.{n}/frames/1" for n in range(1, REPEATS + 1)]
    )
    figures["holds"] = all(figures[name] < bar for name, bar in BARS.items())
    return figures


def searches(studies: int) -> dict[str, list[str]]:
    """The searches that are timed, each time for another study."""
    some = [(n * 7919) % studies for n in range(REPEATS)]
    return {
        "qido_ms": [f"studies?StudyInstanceUID=2.25.1.{n}" for n in some],
        "qido_accession_ms": [f"studies?AccessionNumber=A{n:07d}" for n in some],
        "qido_patient_id_ms": [f"studies?PatientID=B-{n:07d}" for n in some],
        "qido_name_ms": [f"studies?PatientName={FAMILIES[n % 10]}^Given{n}*" for n in some],
        "qido_page_ms": ["studies?limit=101&offset=0&fuzzymatching=true&includefield=00081030,00080060"]
        * REPEATS,
    }


def frames(series: str) -> list[str]:
    return [
        f"{series}/instances/2.25.9.{n}/frames/1/rendered?window={-600 + n},1500,linear"
        for n in range(1, REPEATS + 1)
    ]


def reader() -> tuple[Any, Any]:
    """A program with the token of a radiologist, and the site."""
    from rest_framework.test import APIClient

    from accounts.tokens import create_token
    from tests.factories import PersonFactory, SiteFactory

    site = SiteFactory(code="north")
    person = PersonFactory(email="reader@bench.example", role="radiologist", site=site)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {create_token(person)}")
    return client, site


def fill(site: Any, start: int, end: int) -> None:
    """Patients, studies, series and instances by COPY."""
    from django.db import connection

    tables: dict[str, list[dict[str, Any]]] = {}
    for n in range(start, end):
        for table, row in rows(str(site.pk), n):
            tables.setdefault(table, []).append(defaults(table) | row)
    with connection.cursor() as cursor:
        for table, lines in tables.items():
            copy(cursor, table, lines)
            cursor.execute(f"vacuum analyze {table}")


@cache
def defaults(table: str) -> dict[str, Any]:
    """What a table's columns hold that must not be empty and that are not named below."""
    from django.apps import apps

    model = next(one for one in apps.get_models() if one._meta.db_table == table)
    return {
        field.column: field.get_default()
        for field in model._meta.concrete_fields
        if not field.null and field.has_default() and not callable(field.default)
    }


def rows(site: str, n: int) -> list[tuple[str, dict[str, Any]]]:
    """One study with what hangs on it; columns that are not named take their defaults."""
    from core.identifiers import uuid7

    made = datetime.now(UTC) - timedelta(minutes=n)
    patient, series, instance = str(uuid7()), str(uuid7()), str(uuid7())

    row = study_row(random.Random(n), site, patient, n, made)
    row |= {"study_instance_uid": f"2.25.1.{n}", "accession_number": f"A{n:07d}"}
    patient_row = {
        "id": patient, "created_at": made, "site_id": site, "issuer": "BENCH", "sex": "F",
        "medical_record_number": f"B-{n:07d}", "name": f"{FAMILIES[n % 10]}^Given{n}",
        "birth_date": "1958-04-02",
    }  # fmt: skip
    series_row = {
        "id": series, "created_at": made, "site_id": site, "study_id": row["id"],
        "series_instance_uid": f"2.25.2.{n}", "series_number": 3, "modality": "CT", "description": "Thorax",
        "convolution_kernel": "", "instance_count": 1, "size_bytes": 525_312, "checks": "[]", "refusal": "",
    }  # fmt: skip
    instance_row = {
        "id": instance, "created_at": made, "site_id": site, "series_id": series,
        "sop_instance_uid": f"2.25.3.{n}", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1", "sha256": f"{n:064x}", "size": 525_312,
        "instance_number": 1, "header": '{"dicom_json": {}}',
    }  # fmt: skip
    return [
        ("patients_patient", patient_row),
        ("scans_study", row),
        ("scans_series", series_row),
        ("scans_instance", instance_row),
    ]


def take_in(site: Any, slices: int) -> str:
    """One series by the one way in; returns its address."""
    from scans.models import Upload
    from scans.uploads import Batch
    from tests.factories import PersonFactory

    person = PersonFactory(email="technician@bench.example", role="technician", site=site)
    batch = Batch(site, person, Upload.Road.STOW)
    for content in instances(slices):
        batch.take([content])
    receipts = batch.finish()
    assert all(receipt.outcome == "stored" for receipt in receipts), receipts[0]
    return "studies/2.25.7/series/2.25.9"


def instances(count: int) -> list[bytes]:
    """CT images of 525 kB with the attributes of a real scanner and noise for pixels."""
    import numpy as np

    from tests.dicom_files import ct_image

    noise = np.random.default_rng(1).integers(0, 2000, (512, 512), np.int16).tobytes()
    more = {
        "Manufacturer": "BENCH", "ManufacturerModelName": "S64", "KVP": "120", "XRayTubeCurrent": 200,
        "ConvolutionKernel": "B60f", "ProtocolName": "Thorax 1.0", "BodyPartExamined": "CHEST",
        "PatientPosition": "HFS", "WindowCenter": ["40", "-600"], "WindowWidth": ["400", "1500"],
        "StudyDescription": "CT chest", "SeriesDescription": "Thorax 1.0 B60f", "StationName": "CT1",
        "AcquisitionNumber": 1, "TableHeight": "150", "ExposureTime": "500", "FilterType": "FLAT",
    }  # fmt: skip
    return [
        ct_image(n, series="2.25.9", study="2.25.7", Rows=512, Columns=512, PixelData=noise, **more)
        for n in range(1, count + 1)
    ]


def median_ms(client: Any, paths: list[str], *, gzip: bool = False) -> float:
    """Median time of the requests in the process, body read, after one that warms up."""
    headers = {"HTTP_ACCEPT_ENCODING": "gzip"} if gzip else {}
    times = [timed(lambda p=path: client.get(f"/dicomweb/{p}", **headers)) for path in [paths[0], *paths]]
    return round(statistics.median(times[1:]), 1)


def timed(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    answer = act()
    body = io.BytesIO(b"".join(answer.streaming_content) if answer.streaming else answer.content)
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, (answer.status_code, body.getvalue()[:300])
    return took


if __name__ == "__main__":
    main()
