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
from scans import limits
from scans.dicomweb.multipart import BodyTooLarge, Part, UnsupportedBody, body_of, boundary_of, parts
from scans.ingest.arrivals import Arrival, Refusal
from scans.ingest.reasons import NOT_OF_THIS_STUDY, TOO_LARGE, failure_reason
from scans.ingest.receive import Outcome, Receipt
from scans.ingest.room import FULL
from scans.models import Upload
from scans.uploads import Batch


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
        with Batch(site, person, Upload.Road.STOW, announced_bytes=_announced(request)) as batch:
            for part in parts(body_of(request._request), boundary):
                _take(batch, part, study_instance_uid)
            receipts = batch.finish()
        return Response(_answer(receipts, request), status=_status(receipts))


def _announced(request: Request) -> int:
    """The length that the sender announces, 0 if none.

    Raises
    ------
    UnsupportedBody : the body is packed as a whole.
    BodyTooLarge : more is announced than is taken in one request.
    """
    packed = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if packed not in ("", "identity"):
        sentence = "A packed body (Content-Encoding) is not taken. Send the instances as they are."
        raise UnsupportedBody("content_encoding", sentence)
    stated = request.META.get("CONTENT_LENGTH") or ""
    length = int(stated) if stated.isdecimal() else 0
    if length > limits.LARGEST_UPLOAD_BYTES:
        limit = limits.LARGEST_UPLOAD_BYTES >> 30
        raise BodyTooLarge(
            "too_large", f"The request is larger than {limit} GB. Send it in several requests."
        )
    return length


def _take(batch: Batch, part: Part, study_instance_uid: str) -> None:
    if part.media_type in ("", "application/dicom"):
        batch.take(part.chunks, check=_belongs_to(study_instance_uid))
    else:
        batch.refuse(Refusal("PART_TYPE", "The part is not of the type application/dicom. Send it as such."))


def _belongs_to(study_instance_uid: str) -> Any:
    def check(arrival: Arrival) -> Arrival | Refusal:
        header = arrival.header
        if study_instance_uid and header.study_instance_uid != study_instance_uid:
            sentence = "The instance belongs to another study than the one in the address."
            return Refusal(NOT_OF_THIS_STUDY, sentence, header.sop_class_uid, header.sop_instance_uid)
        return arrival

    return check


def _status(receipts: Sequence[Receipt]) -> int:
    """200 when all are stored, 202 when some are, 409 when none is (PS3.18 table 10.5.3-1).

    When none is because all were too large or found no room, 413 and 507 say so.
    """
    if not receipts:
        return status.HTTP_400_BAD_REQUEST
    stored = sum(r.outcome in (Outcome.STORED, Outcome.DUPLICATE) for r in receipts)
    if stored:
        return status.HTTP_200_OK if stored == len(receipts) else status.HTTP_202_ACCEPTED
    codes = {receipt.code for receipt in receipts}
    if codes <= FULL:
        return status.HTTP_507_INSUFFICIENT_STORAGE
    return status.HTTP_413_REQUEST_ENTITY_TOO_LARGE if codes == {TOO_LARGE} else status.HTTP_409_CONFLICT


def _answer(receipts: Sequence[Receipt], request: Request) -> dict[str, Any]:
    items = list(_items(receipts, request))
    answer: dict[str, Any] = {}
    studies = {r.header.header.study_instance_uid for r in receipts if r.header is not None}
    if len(studies) == 1:
        url = request.build_absolute_uri(f"/dicomweb/studies/{studies.pop()}")
        answer["00081190"] = {"vr": "UR", "Value": [url]}
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
        "00081197": {"vr": "US", "Value": [failure_reason(receipt)]},
        "00000902": {"vr": "LO", "Value": [f"{receipt.code}: {receipt.sentence}"]},
    }


def _sop(sop_class_uid: str, sop_instance_uid: str) -> dict[str, Any]:
    named = {"00081150": sop_class_uid, "00081155": sop_instance_uid}
    return {tag: {"vr": "UI", "Value": [uid]} for tag, uid in named.items() if uid}
