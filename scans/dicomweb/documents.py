"""The metadata of a series as one compressed document: built from the rows, never by opening files.

A viewer asks for it before it shows anything; the document is built when the study is complete, and again
when it is asked for and the series has changed since.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.aggregates import StringAgg
from django.db.models import F, Value
from django.db.models.functions import MD5

from core.audit import covered
from scans.models import Instance, Series, SeriesDocument

Json = dict[str, Any]
BASE = "urn:lungportal:dicomweb"
"""Stands in stored documents for the address of our service, which only a request knows."""
GZIP = 16 + zlib.MAX_WBITS
COLUMNS = ("sop_instance_uid", "sop_class_uid", "transfer_syntax_uid")
ENCAPSULATED_DOCUMENT = "00420011"
ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."
PIXEL_DATA = "7FE00010"


def document_of(series: Series) -> SeriesDocument:
    """The document of a series as it is now; a stale one is built again."""
    fingerprint = fingerprint_of(series)
    known = SeriesDocument.objects.filter(series=series, fingerprint=fingerprint).first()
    return known or build_document(series, fingerprint)


def build_document(series: Series, fingerprint: str = "") -> SeriesDocument:
    """Build and store the document; the audit trail has the images themselves."""
    body, count = _compressed(series)
    with covered():
        document, _ = SeriesDocument.objects.update_or_create(
            series=series,
            defaults={
                "site_id": series.site_id,
                "fingerprint": fingerprint or fingerprint_of(series),
                "count": count,
                "body": body,
            },
        )
    return document


def fingerprint_of(series: Series) -> str:
    """A hash over the contents of all instances: one query that reads an index and no header."""
    instances = series.instances.order_by()
    joined = StringAgg("sha256", delimiter=Value(""), order_by="sha256")
    found: str | None = instances.aggregate(found=MD5(joined))["found"]
    return found or ""


def text_of(document: SeriesDocument, base: str) -> bytes:
    """The JSON array, with the addresses of bulk data under `base`."""
    return zlib.decompress(bytes(document.body), GZIP).replace(BASE.encode(), base.encode())


def text_of_instance(instance: Instance, base: str) -> bytes:
    """The JSON array of one instance, without the document of its series."""
    row = (
        Instance.objects.filter(pk=instance.pk)
        .values(*COLUMNS, "series__series_instance_uid", study=F("series__study__study_instance_uid"),
                model=F("header__dicom_json"))
        .get()
    )  # fmt: skip
    address = f"{base}/studies/{row['study']}/series/{row['series__series_instance_uid']}"
    return b"[" + _entry(row, address) + b"]"


def _compressed(series: Series) -> tuple[bytes, int]:
    """The gzip of the array, made piece by piece, and its length."""
    address = f"{BASE}/studies/{series.study.study_instance_uid}/series/{series.series_instance_uid}"
    packer, packed, count = zlib.compressobj(6, zlib.DEFLATED, GZIP), [], 0
    for entry in _entries(series, address):
        packed.append(packer.compress((b"," if count else b"[") + entry))
        count += 1
    packed += [packer.compress(b"]" if count else b"[]"), packer.flush()]
    return b"".join(packed), count


def _entries(series: Series, address: str) -> Iterator[bytes]:
    rows = series.instances.in_slice_order().values(*COLUMNS, model=F("header__dicom_json"))
    for row in rows.iterator(chunk_size=200):
        yield _entry(row, address)


def _entry(row: Json, address: str) -> bytes:
    """One instance: its header, and where its bulk data are (PS3.18 F.2.2)."""
    model: Json = dict(row["model"] or {})
    bulk = f"{address}/instances/{row['sop_instance_uid']}/bulkdata"
    if "00280010" in model and PIXEL_DATA not in model:
        model[PIXEL_DATA] = {"vr": "OW", "BulkDataURI": f"{bulk}/{PIXEL_DATA}"}
    if row["sop_class_uid"].startswith(ENCAPSULATED) and ENCAPSULATED_DOCUMENT not in model:
        model[ENCAPSULATED_DOCUMENT] = {"vr": "OB", "BulkDataURI": f"{bulk}/{ENCAPSULATED_DOCUMENT}"}
    model["00083002"] = {"vr": "UI", "Value": [row["transfer_syntax_uid"]]}
    return json.dumps(dict(sorted(model.items())), separators=(",", ":"), ensure_ascii=False).encode()
