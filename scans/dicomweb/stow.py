"""STOW-RS: `POST /dicomweb/studies` (DICOM PS3.18 section 10.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import person_of
from accounts.uploading import site_for_images
from scans.dicomweb.multipart import body_of, boundary_of, parts
from scans.ingest.arrivals import Arrival, Refusal
from scans.ingest.receive import Outcome, Receipt
from scans.models import Upload
from scans.uploads import Batch

CANNOT_UNDERSTAND = 0xC000
DUPLICATE_OF_OTHER_BYTES = 0x0111
DATA_SET_DOES_NOT_MATCH = 0xA900
NOT_OF_THIS_STUDY = "NOT_THIS_STUDY"


class UntouchedParser(BaseParser):
    """Leaves the body in the stream: instances are read one by one, never a whole body in memory."""

    media_type = "multipart/related"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        return {}


class DicomJsonRenderer(JSONRenderer):
    media_type = "application/dicom+json"


class StoreInstances(APIView):
    """Stores the instances of the body; the answer has one item per instance."""

    parser_classes = [UntouchedParser]
    renderer_classes: list[type[BaseRenderer]] = [DicomJsonRenderer, JSONRenderer]

    @extend_schema(request={"multipart/related": bytes}, responses={(200, "application/dicom+json"): dict})
    def post(self, request: Request, study_instance_uid: str = "") -> Response:
        person = person_of(request)
        site = site_for_images(person, request.query_params.get("site", ""))
        boundary = boundary_of(request.META.get("CONTENT_TYPE", ""))
        batch = Batch(site, person, Upload.Road.STOW)
        for body in parts(body_of(request._request), boundary):
            batch.take(body, check=_belongs_to(study_instance_uid))
        receipts = batch.finish()
        return Response(_answer(receipts, request), status=_status(receipts))


def _belongs_to(study_instance_uid: str) -> Any:
    def check(arrival: Arrival) -> Arrival | Refusal:
        header = arrival.header
        if study_instance_uid and header.study_instance_uid != study_instance_uid:
            sentence = "The instance belongs to another study than the one in the address."
            return Refusal(NOT_OF_THIS_STUDY, sentence, header.sop_class_uid, header.sop_instance_uid)
        return arrival

    return check


def _status(receipts: Sequence[Receipt]) -> int:
    """200 when all are stored, 202 when some are, 409 when none is (PS3.18 table 10.5.3-1)."""
    stored = sum(r.outcome in (Outcome.STORED, Outcome.DUPLICATE) for r in receipts)
    if not receipts:
        return status.HTTP_400_BAD_REQUEST
    if stored == len(receipts):
        return status.HTTP_200_OK
    return status.HTTP_202_ACCEPTED if stored else status.HTTP_409_CONFLICT


def _answer(receipts: Sequence[Receipt], request: Request) -> dict[str, Any]:
    items = list(_items(receipts, request))
    answer: dict[str, Any] = {}
    stored = [item for good, item in items if good]
    failed = [item for good, item in items if not good]
    if stored:
        answer["00081199"] = {"vr": "SQ", "Value": stored}
    if failed:
        answer["00081198"] = {"vr": "SQ", "Value": failed}
    return answer


def _items(receipts: Sequence[Receipt], request: Request) -> Iterator[tuple[bool, dict[str, Any]]]:
    base = request.build_absolute_uri("/dicomweb/studies")
    for receipt in receipts:
        good = receipt.outcome in (Outcome.STORED, Outcome.DUPLICATE)
        yield good, _referenced(receipt, base) if good else _failed(receipt)


def _referenced(receipt: Receipt, base: str) -> dict[str, Any]:
    assert receipt.header is not None  # noqa: S101 - what is stored has a header
    header = receipt.header.header
    url = (
        f"{base}/{header.study_instance_uid}/series/{header.series_instance_uid}"
        f"/instances/{header.sop_instance_uid}"
    )
    return {**_sop(header.sop_class_uid, header.sop_instance_uid), "00081190": {"vr": "UR", "Value": [url]}}


def _failed(receipt: Receipt) -> dict[str, Any]:
    if receipt.header is not None:
        sop = _sop(receipt.header.header.sop_class_uid, receipt.header.header.sop_instance_uid)
    else:
        refusal = receipt.refusal
        sop = _sop(refusal.sop_class_uid, refusal.sop_instance_uid) if refusal else {}
    return {
        **sop,
        "00081197": {"vr": "US", "Value": [_failure_reason(receipt)]},
        "00000902": {"vr": "LO", "Value": [f"{receipt.code}: {receipt.sentence}"]},
    }


def _failure_reason(receipt: Receipt) -> int:
    """Failure reason (0008,1197), PS3.18 table 10.5.3-2 and PS3.4 annex GG."""
    if receipt.outcome == Outcome.QUARANTINED:
        return DUPLICATE_OF_OTHER_BYTES
    return DATA_SET_DOES_NOT_MATCH if receipt.code == NOT_OF_THIS_STUDY else CANNOT_UNDERSTAND


def _sop(sop_class_uid: str, sop_instance_uid: str) -> dict[str, Any]:
    named = {"00081150": sop_class_uid, "00081155": sop_instance_uid}
    return {tag: {"vr": "UI", "Value": [uid]} for tag, uid in named.items() if uid}
